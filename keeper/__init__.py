# SPDX-License-Identifier: AGPL-3.0-only
"""Bots that keep the exchange sound: liquidation below maintenance margin, and touching funding every hour."""
