# SPDX-License-Identifier: AGPL-3.0-only
"""The query of our own over trades: filters, order, keyset cursor, aggregation, exports."""
