# SPDX-License-Identifier: AGPL-3.0-only
"""The queries of our own over trades and contract events: filters, order, keyset cursor, aggregation, exports."""
