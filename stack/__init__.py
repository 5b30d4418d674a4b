# SPDX-License-Identifier: AGPL-3.0-only
"""The local stack: set-up, supervisor, price feed, bots and demo."""
