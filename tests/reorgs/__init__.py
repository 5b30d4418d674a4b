# SPDX-License-Identifier: AGPL-3.0-only
"""Reorganisations of a real chain under indexes that follow it."""
