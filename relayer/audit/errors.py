# SPDX-License-Identifier: AGPL-3.0-only
"""Why an audit cannot go on: nothing is proven then, and nothing refuted."""

from ouro.errors import OuroError


class AuditError(OuroError):
    """Journal, node or receipts cannot be read."""
