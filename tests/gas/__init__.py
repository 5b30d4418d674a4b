# SPDX-License-Identifier: AGPL-3.0-only
"""The committed gas of every kind of batch: any difference fails, up or down."""
