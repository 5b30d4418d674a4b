# SPDX-License-Identifier: AGPL-3.0-only
"""An independent model of the exchange, written from docs/protocol.md alone.

Exact integers and Fractions, and no code shared with the contracts or with `ouro`. It favours being obviously the text
over being fast.
"""
