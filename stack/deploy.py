# SPDX-License-Identifier: AGPL-3.0-only
"""The deployment of a local stack, through the script that people use, `ape run deploy`; its deployer governs."""

import os
import subprocess
import sys
from pathlib import Path

from ouro.deployment import Deployment
from ouro.units import MICRO
from stack.node import Node, project_root
from stack.state import StateFolder
from stack.supervisor import StackError, tail
from stack.wallets import Role, wallet

PARAMETERS = Path("deployments") / "parameters" / "local.toml"
EXAMPLE_USDC = 10_000
MINT_SELECTOR = "0x40c10f19"  # mint(address,uint256)


def deploy(node: Node, state: StateFolder) -> None:
    """Compile, deploy, write the record, and give the example trader its test money. Raises `StackError`."""
    log = state.logs / "deploy.log"
    command = [str(Path(sys.executable).with_name("ape")), "run", "deploy", "--network", node.url]
    command += ["--account", "TEST::0", "--parameters", str(PARAMETERS), "--output", str(state.deployment.resolve())]
    command += ["--keep-ownership", "--overwrite"]
    # Ape's Vyper plugin looks for a compiler on PATH, and else for one on the network.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=project_root(), env={**os.environ, "PATH": path}, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode or not state.deployment.exists():
        raise StackError(f"The deployment failed:\n{tail(log)}\nIts log is {log}.")
    _mint(node, Deployment.load(state.deployment).contracts.usdc, wallet(Role.EXAMPLE_TRADER).address)


def _mint(node: Node, token: str, owner: str) -> None:
    """Test USDC for `owner`, from the token that anybody may mint on this chain."""
    data = MINT_SELECTOR + owner[2:].lower().rjust(64, "0") + f"{EXAMPLE_USDC * MICRO:064x}"
    node.call("eth_sendTransaction", {"from": wallet(Role.DEPLOYER).address, "to": token, "data": data})
