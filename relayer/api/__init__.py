# SPDX-License-Identifier: AGPL-3.0-only
"""The write API: orders, cancels, withdrawals, and the event log."""

from relayer.api.app import create_app

__all__ = ["create_app"]
