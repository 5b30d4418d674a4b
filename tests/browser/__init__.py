# SPDX-License-Identifier: AGPL-3.0-only
"""The trading app in a real browser, on a real local exchange, with a wallet that really signs."""
