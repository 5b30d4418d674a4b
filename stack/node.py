# SPDX-License-Identifier: AGPL-3.0-only
"""The local chain: where anvil is, how it is started, and the few calls the stack makes to it."""

import os
import shutil
from pathlib import Path
from typing import Any

import httpx

from stack.ports import HOST
from stack.supervisor import Program, StackError

CHAIN_ID = 31_337
BLOCK_TIME_S = 1
ACCOUNTS = 20
STOP_GRACE_S = 60.0


def project_root() -> Path:
    """The checkout that this code runs from, with its contracts and scripts."""
    return Path(__file__).resolve().parent.parent


def binary() -> Path:
    """The anvil that the set-up installed, else the one on PATH. Raises `StackError` if there is none."""
    own = project_root() / ".tools" / "bin" / "anvil"
    if os.access(own, os.X_OK):
        return own
    found = shutil.which("anvil")
    if found is None:
        raise StackError("anvil is missing. `make setup` installs it.")
    return Path(found)


class Node:
    """JSON-RPC to one anvil."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._http = httpx.Client(timeout=30)

    def call(self, method: str, *params: Any) -> Any:
        """The result of a JSON-RPC call. Raises `StackError` when the node answers with an error or not at all."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = self._http.post(self.url, json=request).json()
        except (httpx.HTTPError, ValueError) as error:
            raise StackError(f"The chain at {self.url} does not answer {method}: {error}") from error
        if "error" in answer:
            raise StackError(f"The chain refused {method}: {answer['error'].get('message', answer['error'])}")
        return answer["result"]

    def answers(self) -> bool:
        """Whether the node serves our chain."""
        try:
            return int(self.call("eth_chainId"), 16) == CHAIN_ID
        except StackError:
            return False

    def block(self, number: int | None = None) -> tuple[int, str] | None:
        """Number and hash of a block, the newest by default; None if the chain has not got that far."""
        name = "latest" if number is None else hex(number)
        found = self.call("eth_getBlockByNumber", name, False)
        return None if found is None else (int(found["number"], 16), str(found["hash"]))

    def mine_every(self, seconds: int) -> None:
        """From now on a block every so many seconds instead of one per transaction."""
        self.call("evm_setIntervalMining", seconds)

    def program(self, state: Path | None = None) -> Program:
        """How anvil is started. It keeps the chain in the file `state`, written when it ends and read when it starts.

        An epoch of one slot makes blocks final two blocks later; otherwise finality would never show.
        """
        command = [str(binary()), "--quiet", "--host", HOST, "--port", str(self.port), "--chain-id", str(CHAIN_ID)]
        command += ["--accounts", str(ACCOUNTS), "--hardfork", "cancun", "--slots-in-an-epoch", "1"]
        if state is not None:
            command += ["--state", str(state)]
        return Program("anvil", command, ready=self.answers, ready_within_s=120, stop_grace_s=STOP_GRACE_S, vital=True)
