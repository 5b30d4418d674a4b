# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro audit`: is this journal the one that was anchored, and does everything that happened follow from it?

It takes a journal (a folder, or a relayer's published segments), a node of its own choosing and, if there are any,
receipts. It reads the journal once, record by record, and asks of each: is it in the chain of heads, is it signed by
whom it says, does the chain have what it observed, does the replayed core come to the same results, does the chain have
just those fills? What each answer proves, and what nothing can prove, is in docs/fairness.md.
"""

from relayer.audit.auditor import Auditor
from relayer.audit.errors import AuditError
from relayer.audit.report import Finding, Report

__all__ = ["AuditError", "Auditor", "Finding", "Report"]
