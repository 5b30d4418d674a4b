# SPDX-License-Identifier: Apache-2.0
"""`ouro doctor`: looks at machine, chain and services, and says of each fault how to mend it. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ouro.cli.checks_keys import keys
from ouro.cli.checks_machine import PORTS, disk, ports, programs, python
from ouro.cli.checks_remote import Remote, clocks, gas, indexer, node, record, relayer
from ouro.cli.output import View
from ouro.cli.progress import waiting
from ouro.cli.report import Finding, State
from ouro.cli.run import Cli, RpcUrl, command

_SHOWN = {State.OK: "ok", State.WARN: "look", State.FAIL: "FAULT"}


def register(app: typer.Typer) -> None:
    """Add the command of this file."""

    @command(app, "doctor")
    def doctor(
        cli: Cli,
        deployment: Annotated[
            Path | None,
            typer.Option(
                "--deployment",
                envvar="OURO_DEPLOYMENT_PATH",
                help="The deployment record to compare with.",
                show_default=".ouro/deployment.json",
            ),
        ] = None,
        state_dir: Annotated[
            Path, typer.Option("--state-dir", envvar="OURO_STATE_DIR", help="Where the services write.")
        ] = Path(".ouro"),
        rpc_url: RpcUrl = None,
    ) -> View:
        """Check this machine, the chain and the services; say how to mend what is wrong.

        Ends with 1 when something is at fault.
        """
        remote = Remote(cli.url, rpc_url)
        checks: list[Callable[[], Iterator[Finding]]] = [
            python,
            programs,
            lambda: ports(PORTS, remote.reachable),
            lambda: disk(state_dir),
            lambda: keys(cli.keystore, os.environ),
            lambda: node(remote),
            lambda: record(remote, deployment or Path(".ouro/deployment.json"), required=deployment is not None),
            lambda: relayer(remote),
            lambda: indexer(remote),
            lambda: clocks(remote),
            lambda: gas(remote, os.environ, cli.keystore),
        ]
        found: list[Finding] = []
        try:
            with waiting("looking", quiet=cli.json):
                for check in checks:
                    found += check()
        finally:
            remote.close()
        faults = [each for each in found if each.state is State.FAIL]
        return View(
            [
                {"check": each.check, "state": each.state.value, "found": each.found, "mend": each.mend}
                for each in found
            ],
            columns=("check", "", "found"),
            rows=[(each.check, _SHOWN[each.state], each.found) for each in found],
            note="\n".join(f"{each.check}: {each.mend}" for each in found if each.mend),
            failed=bool(faults),
        )
