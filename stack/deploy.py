# SPDX-License-Identifier: AGPL-3.0-only
"""The deployment of a local stack, through the very script that people use: `ape run deploy`.

Ape compiles in a copy of the sources beside the state: its own cache goes on with an old build after a change, and two
stacks of one checkout would write to it at once.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ouro.deployment import Deployment
from ouro.units import MICRO
from stack.node import Node, project_root
from stack.state import StateFolder
from stack.supervisor import StackError, tail
from stack.wallets import Role, wallet

INSURANCE_USDC = 100_000
EXAMPLE_USDC = 10_000
SOURCES = ("contracts", "scripts")
MINT_SELECTOR = "0x40c10f19"  # mint(address,uint256)


def deploy(node: Node, state: StateFolder) -> None:
    """Compile, deploy, write the record, and give the example trader its test money. Raises `StackError`."""
    log = state.logs / "deploy.log"
    workshop = state.path / "deploy"
    _copy_sources(workshop)
    command = [str(Path(sys.executable).with_name("ape")), "run", "deploy", "--network", node.url]
    command += ["--account", "TEST::0", "--output", str(state.deployment)]
    command += ["--operator", wallet(Role.OPERATOR).address, "--price-signer", wallet(Role.PRICE_SIGNER).address]
    command += ["--insurance", str(INSURANCE_USDC)]
    # The Vyper plugin finds its compiler on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=workshop, env={**os.environ, "PATH": path}, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode or not state.deployment.exists():
        raise StackError(f"The deployment failed:\n{tail(log)}\nIts log is {log}.")
    shutil.rmtree(workshop)
    _mint(node, Deployment.load(state.deployment).contracts.usdc, wallet(Role.EXAMPLE_TRADER).address)


def _copy_sources(workshop: Path) -> None:
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(parents=True)
    root = project_root()
    for name in SOURCES:
        shutil.copytree(root / name, workshop / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "ape-config.yaml", workshop)


def _mint(node: Node, token: str, owner: str) -> None:
    """Test USDC for `owner`, from the token that anybody may mint on this chain."""
    data = MINT_SELECTOR + owner[2:].lower().rjust(64, "0") + f"{EXAMPLE_USDC * MICRO:064x}"
    node.call("eth_sendTransaction", {"from": wallet(Role.DEPLOYER).address, "to": token, "data": data})
