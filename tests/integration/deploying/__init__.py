# SPDX-License-Identifier: AGPL-3.0-only
"""The ape scripts, run as a person runs them, against a real node."""
