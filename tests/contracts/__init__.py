# SPDX-License-Identifier: AGPL-3.0-only
"""Each entry point of the contracts, on an in-process EVM."""
