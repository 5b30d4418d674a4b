# SPDX-License-Identifier: AGPL-3.0-only
"""An honest relayer's journal passes, and the report says how far."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ouro.client.receipts import read_receipts
from tests.integration.audit.conftest import Run
from tests.support.build import ROOT


def ouro_audit(*arguments: str) -> tuple[int, str, str]:
    """The command: its status, and what it wrote."""
    command = [str(Path(sys.executable).parent / "ouro"), "audit", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def everything(run: Run) -> list[str]:
    return ["--journal", str(run.journal), "--rpc", run.rpc_url, "--deployment", str(run.deployment)]


def test_it_passes_and_says_what_is_proven(run: Run) -> None:
    status, out, err = ouro_audit(*everything(run), "--receipts", str(run.receipts), "--json")
    assert status == 0, out + err
    report: dict[str, Any] = json.loads(out)
    assert report["passed"]
    assert report["findings"] == []
    said = "; ".join(report["proven"])
    for part in (
        "one chain of heads",
        "13 orders are signed",
        "2 cancels are signed",
        f"{run.fills} fills on chain",
        "groups give the recorded results",
        "batches on chain anchor heads",
        "7 receipts agree",
    ):
        assert part in said, said
    newest = max(each.last_seq for each in read_receipts(run.receipts))
    assert newest == report["provenUpTo"] <= report["records"]
    assert report["notProven"][-1].startswith("in which order messages arrived")


def test_people_get_the_same_as_text(run: Run) -> None:
    status, out, _ = ouro_audit(*everything(run))
    assert status == 0
    assert "nothing is wrong with what could be checked" in out
    assert "no anchor or receipt vouches for them yet" in out


def test_without_a_deployment_the_report_says_what_it_took_for_granted(run: Run) -> None:
    status, out, _ = ouro_audit("--journal", str(run.journal), "--rpc", run.rpc_url)
    assert status == 0
    assert "no deployment was given" in out


def test_what_cannot_be_read_is_no_verdict(run: Run, tmp_path: Path) -> None:
    for arguments, reason in (
        (["--journal", str(tmp_path), "--rpc", run.rpc_url], "there is no journal"),
        (["--journal", str(tmp_path / "nowhere"), "--rpc", run.rpc_url], "cannot be read"),
        (["--journal", str(run.journal), "--rpc", "http://127.0.0.1:9"], "does not answer"),
        ([*everything(run), "--receipts", str(run.deployment)], "line 1"),
    ):
        status, out, err = ouro_audit(*arguments)
        assert (status, out) == (2, "")
        assert reason in err
