# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer: matches signed orders in memory and settles the fills on chain."""
