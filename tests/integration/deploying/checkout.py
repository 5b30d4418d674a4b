# SPDX-License-Identifier: AGPL-3.0-only
"""A checkout of its own, and the scripts run in it by `ape` itself."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.deploying.started_ape import Ape, started_ape
from tests.support.anvil import ACCOUNTS, Node, anvil, binary
from tests.support.build import ROOT

DEPLOYER, NEWCOMER, GUARDIAN = (ACCOUNTS[number].address for number in (0, 1, 3))
DELAY = 3_600
PARTS = ("contracts", "scripts", "deployments")
LOCAL = Path("deployments") / "parameters" / "local.toml"


def copy_to(folder: Path) -> Path:
    """What a deployment needs, so that neither a change of the sources nor another test comes between."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
    shutil.copy(ROOT / "ape-config.yaml", folder)
    cache = ROOT / ".cache" / "deploy"
    cache.mkdir(parents=True, exist_ok=True)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "deploy").symlink_to(cache)
    return folder


def environment() -> dict[str, str]:
    places = [str(Path(sys.executable).parent), str(Path(binary()).parent), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(places)}


@dataclass(frozen=True)
class Scripts:
    """The scripts of a checkout, on a node, for the deployment of `record`."""

    folder: Path
    node: Node
    record: Path
    ape: Ape

    def run(self, name: str, *arguments: str, account: int | None = None, fails: bool = False) -> str:
        """What it printed. The test fails unless the script ends as it should."""
        script, *command = name.split()
        line = ["run", script, *command, "--network", self.node.rpc_url]
        line += [] if account is None else ["--account", f"TEST::{account}"]
        line += [] if script == "deploy" else ["--deployment", str(self.record)]
        done = self.ape(*line, *arguments)
        printed = done.printed
        assert "Traceback" not in printed, printed
        assert (done.code != 0) is fails, printed
        return printed

    def deploy(self, parameters: Path = LOCAL, *arguments: str, fails: bool = False) -> str:
        line = ("--parameters", str(parameters), "--output", str(self.record), *arguments)
        return self.run("deploy", *line, account=0, fails=fails)

    def propose(self, *arguments: str, account: int = 0, fails: bool = False) -> str:
        """By `change_parameter`."""
        return self.run("change_parameter", *arguments, account=account, fails=fails)

    def execute_ready(self, account: int = 0) -> str:
        return self.run("operation execute", "--all-ready", account=account)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.record.read_text())
        return found

    def change_record(self, *path: str, value: Any) -> None:
        """One entry of the record, as somebody who lies about it would."""
        data = self.data
        place = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        self.record.write_text(json.dumps(data))


@contextmanager
def scripts_at(folder: Path, name: str) -> Iterator[Scripts]:
    """A checkout in a new folder and an empty chain, for a deployment of that name."""
    copy_to(folder)
    with anvil() as node, started_ape(folder, environment()) as ape:
        yield Scripts(folder, node, folder / "deployments" / "local" / f"{name}.json", ape)
