# SPDX-License-Identifier: AGPL-3.0-only
"""Change the contracts one small error at a time and see whether a test notices: see docs/testing.md."""
