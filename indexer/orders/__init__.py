# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's side: orders, the live book, matches that are not settled yet."""
