# SPDX-License-Identifier: AGPL-3.0-only
"""Helpers that several test suites and benches share: compiler, EVM harness, anvil, wire format, wallets."""
