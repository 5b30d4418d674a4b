# SPDX-License-Identifier: AGPL-3.0-only
"""A real node for the tests that need one: anvil on a free port, with the contracts on it.

    with anvil() as node:
        deployment = deploy_local(node.rpc_url)

The deployer (and governance), the operator, the price signer and the guardian are anvil's first development accounts
(`DEPLOYER`, `OPERATOR`, `PRICE_SIGNER`, `GUARDIAN`); the others are free for the test.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from tests.support.abi import RawLog, RevertError
from tests.support.build import ROOT
from tests.support.chain import Receipt
from tests.support.system import BTC, ETH, Keys, Listing, System, deploy_system

if TYPE_CHECKING:
    from ouro.deployment import Deployment

MNEMONIC = "test test test test test test test test test test test junk"
CHAIN_ID = 31_337


def _accounts(count: int) -> list[LocalAccount]:
    Account.enable_unaudited_hdwallet_features()
    return [Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{i}") for i in range(count)]


ACCOUNTS = _accounts(10)
DEPLOYER, OPERATOR, PRICE_SIGNER, GUARDIAN = ACCOUNTS[:4]


def binary() -> str:
    """The anvil of `ANVIL`, of PATH or of the project's own `.tools`; `FileNotFoundError` if there is none."""
    for candidate in (os.environ.get("ANVIL"), shutil.which("anvil"), str(ROOT / ".tools" / "bin" / "anvil")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError("anvil is neither on PATH nor in .tools/bin: run the project's set-up first")


class Rpc:
    """JSON-RPC over HTTP, and the `Chain` that deployments and benches use."""

    def __init__(self, url: str):
        self.url = url
        self._client = httpx.Client(timeout=120)
        self._id = 0

    def close(self) -> None:
        self._client.close()

    def request(self, method: str, *params: Any) -> Any:
        """The result; `RevertError` for a revert, `RuntimeError` for any other error the node answers."""
        self._id += 1
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": list(params)}
        answer = self._client.post(self.url, json=body).json()
        if "error" not in answer:
            return answer["result"]
        error = answer["error"]
        data = error.get("data")
        if isinstance(data, str) and data.startswith("0x") and "revert" in str(error.get("message", "")):
            raise RevertError(bytes.fromhex(data[2:]))
        raise RuntimeError(f"{method}: {error}")

    @property
    def now(self) -> int:
        return int(self.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        query = {"to": to, "data": "0x" + data.hex()} | ({"from": sender} if sender else {})
        return bytes.fromhex(self.request("eth_call", query, "latest")[2:])

    def create(self, sender: str, code: bytes) -> str:
        receipt = self._send({"from": sender, "data": "0x" + code.hex()})
        return to_checksum_address(receipt["contractAddress"])

    def transact(self, sender: str, to: str, data: bytes, gas: int | None = None) -> Receipt:
        query = {"from": sender, "to": to, "data": "0x" + data.hex()}
        receipt = self._send(query | ({"gas": hex(gas)} if gas else {}))
        logs = tuple(
            RawLog(
                to_checksum_address(log["address"]),
                tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
                bytes.fromhex(log["data"][2:]),
            )
            for log in receipt["logs"]
        )
        return Receipt(b"", int(receipt["gasUsed"], 16), logs)

    def _send(self, transaction: dict[str, str]) -> dict[str, Any]:
        """Sent from an account the node holds or impersonates, and mined at once."""
        hash_ = self.request("eth_sendTransaction", {"gas": hex(29_000_000)} | transaction)
        receipt = self._receipt(hash_)
        if int(receipt["status"], 16) == 0:
            query = {key: value for key, value in transaction.items() if key != "gas"}
            self.request("eth_call", query, hex(int(receipt["blockNumber"], 16) - 1))
            raise RuntimeError(f"transaction {hash_} failed but its eth_call does not")
        return receipt

    def _receipt(self, hash_: str) -> dict[str, Any]:
        """Automining answers a moment after the transaction was accepted."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = self.request("eth_getTransactionReceipt", hash_)
            if receipt is not None:
                return receipt
            time.sleep(0.002)
        raise RuntimeError(f"transaction {hash_} was not mined within 60 seconds")

    def at(self, time_: int) -> None:
        """The next block's time, so that what is measured does not depend on the clock."""
        self.request("evm_setNextBlockTimestamp", time_)

    def warp(self, seconds: int) -> None:
        """Move the clock forward and mine a block there."""
        self.request("evm_increaseTime", seconds)
        self.request("evm_mine")

    def fund(self, account: str) -> None:
        """Give an account ether and let the node send for it."""
        self.request("anvil_setBalance", account, hex(10**24))
        self.request("anvil_impersonateAccount", account)


@dataclass(frozen=True)
class Node:
    """A running anvil."""

    rpc_url: str
    port: int
    rpc: Rpc


@contextmanager
def anvil(*arguments: str, port: int = 0) -> Iterator[Node]:
    """Start anvil (on a free port unless one is given), yield it when it listens, stop it afterwards.

    `arguments` go to its command line. Final blocks lag two epochs of one slot. Raises `RuntimeError` when it does not
    start within 120 seconds.
    """
    command = [binary(), "--port", str(port), "--hardfork", "prague", "--slots-in-an-epoch", "1", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        url = _listening(process)
        rpc = Rpc(url)
        try:
            yield Node(url, int(url.rsplit(":", 1)[1]), rpc)
        finally:
            rpc.close()
    finally:
        process.terminate()
        try:
            process.wait(timeout=180)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _listening(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    printed: list[str] = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        printed.append(line)
        match = re.search(r"Listening on (\S+:\d+)", line)
        if match:
            # anvil goes on writing: somebody has to read, else it blocks on a full pipe
            threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
            return f"http://{match.group(1)}"
    raise RuntimeError("anvil did not start:\n" + "".join(printed[-20:]))


def _drain(stream: Any) -> None:
    try:
        for _ in stream:
            pass
    except ValueError:
        pass  # closed while reading: the node was stopped


def deploy_on(rpc: Rpc, listings: tuple[Listing, ...] = (BTC, ETH), **options: Any) -> System:
    """All contracts on a node, as handles. `options` are those of `deploy_system`."""
    return deploy_system(rpc, Keys(DEPLOYER, OPERATOR, PRICE_SIGNER, GUARDIAN), listings, **options)


def record(system: System, start_block: int) -> dict[str, Any]:
    """The deployment record, as the deploy script writes it."""
    keys = system.keys
    contracts = {name: getattr(system, name).address for name in ("exchange", "desk", "vault", "oracle", "usdc")}
    return {
        "chainId": CHAIN_ID,
        "startBlock": start_block,
        "settleWindow": system.settle_window,
        "withdrawalDelay": system.withdrawal_delay,
        "operator": keys.operator.address,
        "priceSigner": keys.price_signer.address,
        "guardian": keys.guardian.address,
        "contracts": contracts,
        "markets": [
            {
                "id": listing.id,
                "ticker": listing.ticker,
                "sizeDecimals": listing.size_decimals,
                "priceDecimals": 6 - listing.size_decimals,
                "tick": listing.tick,
                "imfPpm": listing.imf,
                "mmfPpm": listing.mmf,
                "bandPpm": listing.band,
                "maxOpenInterest": listing.max_open_interest,
                "maxPriceAge": listing.max_price_age,
                "liquidationFloorPpm": listing.liquidation_floor,
                "state": 1,
            }
            for listing in system.listings
        ],
    }


def deploy_local(rpc_url: str, path: Path | None = None, **options: Any) -> "Deployment":
    """Deploy every contract from `contracts/` on a node and return the record.

    `path` keeps the record's JSON there too, for services that read it. `options` are those of `deploy_system`. The
    deployer governs; `OPERATOR` settles and co-signs; `PRICE_SIGNER` signs prices. No price is pushed yet.
    """
    from ouro.deployment import Deployment

    rpc = Rpc(rpc_url)
    try:
        start_block = int(rpc.request("eth_blockNumber"), 16) + 1
        text = json.dumps(record(deploy_on(rpc, **options), start_block), indent=2)
    finally:
        rpc.close()
    with tempfile.TemporaryDirectory() as folder:
        kept = path if path is not None else Path(folder) / "deployment.json"
        kept.write_text(text)
        return Deployment.load(kept)
