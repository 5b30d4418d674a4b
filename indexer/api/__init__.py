# SPDX-License-Identifier: AGPL-3.0-only
"""The HTTP side of the front door."""
