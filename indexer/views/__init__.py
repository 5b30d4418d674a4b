# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: decoded events to the rows of the chain tables."""
