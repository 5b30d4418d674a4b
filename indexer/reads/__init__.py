# SPDX-License-Identifier: AGPL-3.0-only
"""Queries: rows to the wire shapes of the public API."""
