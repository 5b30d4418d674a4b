# SPDX-License-Identifier: AGPL-3.0-only
"""Is the relayer's journal the one that was anchored, and would a changed one be found? Asked as `ouro audit` asks."""

from contextlib import closing
from pathlib import Path

from ouro.client.receipts import read_receipts
from ouro.deployment import Deployment
from relayer.audit import Auditor, Report
from relayer.audit.node import Node
from relayer.audit.source import DiskJournal
from stack.demo.audit import Check
from stack.forgery import forge


def fairness(journal: Path, rpc_url: str, deployment: Deployment, receipts: Path) -> list[Check]:
    """Two checks of a journal that nobody writes any more, or that its relayer goes on with."""

    def ask(folder: Path) -> Report:
        with closing(Node(rpc_url)) as node:
            kept = list(read_receipts(receipts))
            return Auditor(DiskJournal(folder), node, deployment=deployment, receipts=kept).run()

    true = ask(journal)
    forged_folder = journal.with_name("forged-journal")
    victim = forge(journal, forged_folder)
    forged = ask(forged_folder)
    found = forged.first_wrong
    is_found = found is not None and found.first == found.last == victim
    return [
        Check(
            "Does everything on chain follow from the journal, and it from nothing else?",
            f"{true.records} records; {'; '.join(true.proven[3:])}",
            tuple(finding.sentence() for finding in true.findings[:5]),
        ),
        Check(
            "Is a copy in which one order was changed found out?",
            f"record {victim}: {found.check}" if found is not None else "",
            () if is_found else (f"record {victim} was changed, the audit says {found}",),
        ),
    ]
