# SPDX-License-Identifier: AGPL-3.0-only
"""Stateful fuzzing of the contracts against the reference model."""
