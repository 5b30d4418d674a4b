# SPDX-License-Identifier: AGPL-3.0-only
"""A relayer as a process of its own, on a real chain with the real contracts, and traders who sign by themselves.

Orders are signed by `tests.support.wire`, which shares no code with `ouro`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount

from stack.ports import free_port
from tests.support.anvil import OPERATOR, Node, anvil, deploy_on, record
from tests.support.build import ROOT
from tests.support.system import System
from tests.support.waiting import eventually
from tests.support.wire import ORDER_TYPE, WITHDRAWAL_TYPE, Order, digest, sign, wallet

USDC = 10**6
BTC_PRICE = 2_300_000
ETH_PRICE = 1_600_000
CANCEL_TYPE = "CancelOrder(address account,uint16 subaccount,bytes32 orderId,uint64 nonce)"
CANCEL_BY_CLIENT_ID_TYPE = "CancelByClientId(address account,uint16 subaccount,string clientId,uint64 nonce)"
CANCEL_ALL_TYPE = "CancelAll(address account,uint16 subaccount,string market,uint64 nonce)"
CANCEL_ALL_AFTER_TYPE = "CancelAllAfter(address account,uint16 subaccount,uint32 timeoutSeconds,uint64 nonce)"

Json = dict[str, Any]


class RelayerProcess:
    """`python -m relayer run` with a state folder of its own."""

    def __init__(self, rpc_url: str, deployment: Path, state: Path, **env: str) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "OURO_RPC_URL": rpc_url,
            "OURO_DEPLOYMENT_PATH": str(deployment),
            "OURO_STATE_DIR": str(state),
            "OURO_RELAYER_PORT": str(self.port),
            "OURO_OPERATOR_KEY": "0x" + bytes(OPERATOR.key).hex(),
            **env,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=120)
        state.mkdir(parents=True, exist_ok=True)

    def start(self, *, ready: bool = True) -> None:
        """Starts it, and waits until it takes orders (or at least answers)."""
        with (self.state / "relayer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relayer", "run"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        path = "/ready" if ready else "/health"
        eventually(lambda: self._answers(path), f"{path} of the relayer\n{self.log()[-3000:]}")

    def _answers(self, path: str) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()[-4000:]
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def ended(self) -> bool:
        """Whether it has gone by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no last words."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        if self._process is not None:
            self._end(signal.SIGKILL)
        self.http.close()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(180)
        self._process = None
        return status

    def log(self) -> str:
        return (self.state / "relayer.log").read_text()

    def catch_up(self) -> None:
        """Returns when it has followed the chain as far as it is now."""
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        height = int(self.http.post(self.environment["OURO_RPC_URL"], json=request).json()["result"], 16)
        # Until it has replayed its journal it names no height.
        eventually(lambda: int(self.http.get("/ready").json().get("height", -1)) >= height, "catching up")

    # What a client does

    def events(self, from_seq: int = 1) -> list[Json]:
        """Every public record from a number on."""
        text = self.http.get("/events", params={"from": from_seq, "limit": 10_000}).text
        return [json.loads(line) for line in text.splitlines()]

    def fills(self) -> dict[int, list[str]]:
        """The statuses each fill went through."""
        turns: dict[int, list[str]] = {}
        for entry in self.events():
            if entry["type"] == "fill":
                turns.setdefault(entry["fillId"], []).append(entry["status"])
        return turns

    def metric(self, name: str) -> float:
        """A figure without labels from /metrics."""
        lines = self.http.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def order(self, order_id: str) -> Json:
        answer: Json = self.http.get(f"/v4/orders/{order_id}").json()
        return answer


class World:
    """A chain with the contracts on it, and traders with money."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node = node
        self.folder = folder
        start_block = int(node.rpc.request("eth_blockNumber"), 16) + 1
        self.system: System = deploy_on(node.rpc)
        self.deployment = folder / "deployment.json"
        self.deployment.write_text(json.dumps(record(self.system, start_block)))
        self.operator = OPERATOR
        self.push()
        self._last_ms = 0
        self._slots = 0
        self._roles = 0

    def push(self, btc: int = BTC_PRICE, eth: int = ETH_PRICE) -> None:
        """Fresh index prices. A second push in the same second would not be newer, so time moves on first."""
        self.node.rpc.warp(1)
        self.system.push({1: btc, 2: eth})

    def trader(self, role: str, usdc: int = 100_000) -> LocalAccount:
        """A wallet that nobody used before, with a deposit in subaccount 0."""
        self._roles += 1
        key = wallet(f"{role} {self._roles} of {self.folder.name}")
        self.node.rpc.fund(key.address)
        if usdc:
            self.system.fund(key.address, usdc * USDC)
        return key

    def now_ms(self) -> int:
        """Milliseconds that never repeat: generations and nonces."""
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return self._last_ms

    def order(self, key: LocalAccount, side: str, size: int = 100, price: int = BTC_PRICE, **fields: Any) -> Order:
        """A good GTT order in a slot of its own."""
        self._slots += 1
        generation = self.now_ms()
        base: Json = {
            "market": "BTC-USD",
            "side": side,
            "size": size,
            "limit_price": price,
            "account": key.address,
            "generation": generation,
            "expiry": generation // 1000 + 3_600,
            "slot": 0 if fields.get("time_in_force", "GTT") != "GTT" else self._slots,
        }
        return Order(**(base | fields))

    def body(self, key: LocalAccount, order: Order, client_id: str = "") -> Json:
        """What POST /v4/orders takes."""
        signature = sign(key, self.system.domain, ORDER_TYPE, order.message())
        return {
            "order": order.message(),
            "signature": "0x" + signature.bytes65.hex(),
            "clientId": client_id or str(self.now_ms()),
        }

    def signed(self, key: LocalAccount, side: str, size: int = 100, price: int = BTC_PRICE, **fields: Any) -> Json:
        return self.body(key, self.order(key, side, size, price, **fields))

    def order_id(self, body: Json) -> str:
        """The EIP-712 hash of an order."""
        return "0x" + digest(self.system.domain, ORDER_TYPE, body["order"]).hex()

    def command(self, key: LocalAccount, name: str, kind: str, **fields: Any) -> Json:
        """A signed cancel of any kind."""
        message = {"account": key.address, "subaccount": 0, **fields, "nonce": self.now_ms()}
        hashed = {field: bytes.fromhex(value[2:]) if field == "orderId" else value for field, value in message.items()}
        signature = sign(key, self.system.domain, kind, hashed)
        return {name: message, "signature": "0x" + signature.bytes65.hex()}

    def cancel(self, key: LocalAccount, order_id: str) -> Json:
        return self.command(key, "cancel", CANCEL_TYPE, orderId=order_id)

    def cancel_by_client_id(self, key: LocalAccount, client_id: str) -> Json:
        return self.command(key, "cancelByClientId", CANCEL_BY_CLIENT_ID_TYPE, clientId=client_id)

    def cancel_all(self, key: LocalAccount, market: str = "") -> Json:
        return self.command(key, "cancelAll", CANCEL_ALL_TYPE, market=market)

    def cancel_all_after(self, key: LocalAccount, timeout_s: int) -> Json:
        return self.command(key, "cancelAllAfter", CANCEL_ALL_AFTER_TYPE, timeoutSeconds=timeout_s)

    def withdrawal(self, key: LocalAccount, amount: int, **fields: Any) -> Json:
        message = {
            "account": key.address,
            "subaccount": 0,
            "amount": amount,
            "to": key.address,
            "nonce": self.now_ms(),
            "deadline": int(time.time()) + 300,
        } | fields
        signature = sign(key, self.system.vault_domain, WITHDRAWAL_TYPE, message)
        return {"withdrawal": message, "signature": "0x" + signature.bytes65.hex()}

    # What the chain says

    def size_of(self, owner: LocalAccount, market: int = 1) -> int:
        """The signed size of a position, in lots."""
        word: int = self.system.exchange.call.position(owner.address, 0, market)
        size = word >> 192
        return size - (1 << 64) if size >> 63 else size

    def head(self) -> bytes:
        """The operator's journal head."""
        head: bytes = self.system.exchange.call.heads(self.operator.address)
        return head

    def settled_fill_ids(self) -> list[int]:
        """The ids of all fills on chain, in order, by their events."""
        found = self.node.rpc.request(
            "eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest", "address": self.system.exchange.address}
        )
        topic = "0x" + _event_topic("Fill(address,address,uint256,bytes32,bytes32,uint256,uint256)")
        return [int(log["data"][2:66], 16) >> 192 for log in found if log["topics"][0] == topic]

    def batches(self) -> list[str]:
        """Hashes of the transactions that carried a batch."""
        found = self.node.rpc.request(
            "eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest", "address": self.system.exchange.address}
        )
        topic = "0x" + _event_topic("BatchSettled(address,bytes32,bytes32,uint256,uint256,int256)")
        return [str(log["transactionHash"]) for log in found if log["topics"][0] == topic]

    @contextmanager
    def relayer(self, name: str = "relayer", **env: str) -> Iterator[RelayerProcess]:
        """A relayer of this chain, ended with the block."""
        process = RelayerProcess(self.node.rpc_url, self.deployment, self.folder / name, **env)
        try:
            process.start()
            yield process
        finally:
            process.close()


@contextmanager
def world(folder: Path, *arguments: str) -> Iterator[World]:
    """A fresh chain with funded contracts. `arguments` go to anvil."""
    with anvil(*arguments) as node:
        yield World(node, folder)


def _event_topic(signature: str) -> str:
    from eth_utils.crypto import keccak

    return keccak(text=signature).hex()
