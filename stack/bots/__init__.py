# SPDX-License-Identifier: AGPL-3.0-only
"""Bots with their own wallets that trade through the front door like anybody else."""
