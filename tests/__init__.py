# SPDX-License-Identifier: AGPL-3.0-only
"""Tests of every part; `tests.support` and `tests.reference` are shared between them."""
