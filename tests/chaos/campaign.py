# SPDX-License-Identifier: AGPL-3.0-only
"""The campaign: market makers cross, everything else goes wrong, and in the end chain and relayer must agree.

What is asserted: every fill id on chain is there once; the ids on chain are those that the relayer says are settled;
each position on chain is the sum of the settled fills; nothing stays undecided.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount

from tests.chaos.hostile import HostileNode
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.anvil import ACCOUNTS
from tests.support.waiting import eventually

GWEI = 10**9
TRADERS = 6
PUSH_EVERY_S = 8.0
BLOCK_S = (0.3, 1.0)
SEEN = (
    "node_trouble",
    "reorg",
    "batch_sent",
    "batch_dropped",
    "batch_parted",
    "fee_bumped",
    "node_refused_batch",
    "batch_settled_unseen",
    "fills_undone",
)
"""What the relayer's log tells of: how often each is reported."""
NODE = ("--order", "fifo")


@dataclass
class Report:
    """What a campaign did and found."""

    seed: int
    fills: int
    kill_every_fills: int
    fault_rate: float
    settled: int = 0
    undone: int = 0
    batches: int = 0
    seconds: float = 0.0
    requests: int = 0
    restarts: int = 0
    relayer_saw: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)

    def asdict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "seconds": round(self.seconds, 1), "faults": dict(sorted(self.faults.items()))}


class Monkey(threading.Thread):
    """Makes the blocks, and shakes the chain: reorganisations, lost pools, fee spikes, stolen nonces, stalls."""

    def __init__(self, exchange: World, seed: int) -> None:
        super().__init__(daemon=True)
        self.faults: Counter[str] = Counter()
        self._is_calm = False
        self._acting = threading.Lock()
        self._exchange = exchange
        self._rng = Random(seed)
        self._ended = threading.Event()
        self._pushed_at = time.monotonic()
        # A connection of its own: the campaign's is used by another thread.
        self._http = httpx.Client(timeout=120)
        self._acts = [
            ("reorg, replaced by blocks with other transactions", self._reorg),
            ("reorg by going back to a snapshot", self._go_back),
            ("pool dropped", lambda: self._ask("anvil_dropAllTransactions")),
            (
                "base fee spike",
                lambda: self._ask("anvil_setNextBlockBaseFeePerGas", hex(self._rng.randrange(300) * GWEI)),
            ),
            ("foreign transaction at the operator's nonce", self._steal_nonce),
            ("no blocks for a while", lambda: time.sleep(self._rng.uniform(0.5, 3))),
        ]

    def run(self) -> None:
        """Until `end`."""
        while not self._ended.is_set():
            time.sleep(self._rng.uniform(*BLOCK_S))
            try:
                if time.monotonic() - self._pushed_at > PUSH_EVERY_S:
                    self._pushed_at = time.monotonic()
                    self._push()
                with self._acting:
                    if not self._is_calm and self._rng.random() < 0.25:
                        name, act = self._rng.choice(self._acts)
                        act()
                        self.faults[name] += 1
                self._mine()
            except (RuntimeError, httpx.HTTPError):
                continue  # the node refused: another time

    def calm(self) -> int:
        """From now on only blocks. The height, once nothing more will be taken back."""
        with self._acting:
            self._is_calm = True
            return int(self._ask("eth_blockNumber"), 16)

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._http.close()

    def _ask(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._http.post(self._exchange.node.rpc_url, json=body).json()
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _mine(self) -> None:
        """A block of the present time: what anvil takes back it takes out of its clock as well."""
        last = int(self._ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self._ask("evm_setNextBlockTimestamp", max(int(time.time()), last + 1))
        self._ask("evm_mine")

    def _push(self) -> None:
        """Prices of the last block's time: the transaction goes into the next one."""
        system = self._exchange.system
        at = int(self._ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        updates = [system.price_update(market, price, at) for market, price in ((1, BTC_PRICE), (2, 1_600_000))]
        call = {
            "from": system.keys.price_signer.address,
            "to": system.oracle.address,
            "data": "0x" + system.oracle.data("push", updates).hex(),
            "gas": hex(1_000_000),
            "maxFeePerGas": hex(2_000 * GWEI),
            "maxPriorityFeePerGas": hex(GWEI),
        }
        self._ask("eth_sendTransaction", call)

    def _depth(self) -> int:
        """What is final may not change: blocks are, two behind the newest."""
        return self._rng.choice((1, 2))

    def _foreign(self) -> dict[str, str]:
        """Somebody's transaction that has nothing to do with us."""
        who = ACCOUNTS[self._rng.randrange(7, 10)].address
        fee = {"maxFeePerGas": hex(2_000 * GWEI), "maxPriorityFeePerGas": hex(GWEI)}
        return {"from": who, "to": who, "value": hex(self._rng.randrange(10**9)), "gas": hex(21_000), **fee}

    def _reorg(self) -> None:
        depth = self._depth()
        pairs = [[self._foreign(), self._rng.randrange(depth)] for _ in range(self._rng.randrange(1, 4))]
        self._ask("anvil_reorg", depth, pairs)

    def _go_back(self) -> None:
        """A fork: one or two blocks that were seen are gone, others with other transactions come instead."""
        snapshot = self._ask("evm_snapshot")
        for _ in range(self._depth()):
            self._mine()
            time.sleep(self._rng.uniform(0.1, 0.8))
        self._ask("evm_revert", snapshot)
        for _ in range(2):
            self._ask("eth_sendTransaction", self._foreign())
            self._mine()

    def _steal_nonce(self) -> None:
        operator = self._exchange.operator
        nonce = int(self._ask("eth_getTransactionCount", operator.address, "latest"), 16)
        signed = operator.sign_transaction(
            {
                "type": 2,
                "chainId": 31_337,
                "to": operator.address,
                "value": 0,
                "nonce": nonce,
                "gas": 21_000,
                "maxFeePerGas": 2_000 * GWEI,
                "maxPriorityFeePerGas": 1_000 * GWEI,
            }
        )
        self._ask("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x"))


class Crowd:
    """Market makers who take one another's offers, now buying, now selling, so that positions stay small."""

    def __init__(self, exchange: World, rng: Random, most_unsettled: int) -> None:
        self._exchange = exchange
        self._most_unsettled = most_unsettled
        self._rng = rng
        self.keys: list[LocalAccount] = [exchange.trader("market maker", usdc=1_000_000) for _ in range(TRADERS)]
        self._side = "SELL"

    def trade(self, relayer: RelayerProcess) -> int:
        """One round: an order for every fill and one that takes them. How many offers were taken, 0 for none."""
        exchange, rng = self._exchange, self._rng
        if relayer.http.get("/ready", timeout=20).json().get("unsettledFills", 0) > self._most_unsettled:
            return 0
        maker, taker = rng.sample(self.keys, 2)
        self._side = "BUY" if self._side == "SELL" else "SELL"
        other = "BUY" if self._side == "SELL" else "SELL"
        lots = [rng.randrange(1, 5) for _ in range(rng.randrange(1, 20))]
        offers = [exchange.signed(maker, self._side, each, post_only=True) for each in lots]
        answer = relayer.http.post("/v4/orders/batch", json={"orders": offers}, timeout=20)
        if answer.status_code != 200 or any(each["status"] >= 400 for each in answer.json()["results"]):
            # What rejected fills gave back to their makers must not pile up.
            relayer.http.request("DELETE", "/v4/orders", json=exchange.cancel_all(maker), timeout=20)
            return 0
        kind = rng.choice(["IOC", "IOC", "FOK", "GTT"])
        if kind == "FOK":
            lots = lots[:16]
        take = exchange.signed(taker, other, sum(lots), time_in_force=kind)
        answer = relayer.http.post("/v4/orders", json=take, timeout=20)
        return len(lots) if answer.status_code == 201 and answer.json()["filled"] != "0" else 0


def run(
    folder: Path, *, fills: int, seed: int, rate: float = 0.15, kill_every_fills: int = 1_000, most_unsettled: int = 400
) -> Report:
    """Plays until `fills` have settled, then lets everything come to rest. Raises AssertionError for a disagreement."""
    report, started, rng = Report(seed, fills, kill_every_fills, rate), time.monotonic(), Random(seed)
    with world(folder, *NODE) as exchange:
        crowd = Crowd(exchange, rng, most_unsettled)
        exchange.node.rpc.request("evm_setAutomine", False)
        node = HostileNode(exchange.node.port, seed + 1, rate)
        monkey = Monkey(exchange, seed + 2)
        relayer = RelayerProcess(
            node.url,
            exchange.deployment,
            folder / "relayer",
            OURO_RELAYER_RESEND_S="0.7",
            OURO_RELAYER_BUMP_S="3",
            OURO_RELAYER_POLL_S="0.1",
            OURO_RELAYER_IP_WEIGHT="0",
            OURO_RELAYER_ACCOUNT_WEIGHT="0",
            OURO_RELAYER_ACCOUNT_BYTES="0",
            OURO_RELAYER_REFUSED_BYTES="0",
        )
        try:
            monkey.start()
            relayer.start(ready=False)
            # However short a campaign is, it has a kill.
            taken, kill_at = 0, rng.uniform(0, kill_every_fills)
            look_at = 0.0
            while report.settled < fills:
                if taken > kill_at:
                    relayer.kill()
                    time.sleep(rng.uniform(0, 1))
                    relayer.start(ready=False)
                    report.restarts += 1
                    kill_at = taken + rng.expovariate(1 / kill_every_fills)
                try:
                    traded = crowd.trade(relayer)
                    taken += traded
                except httpx.HTTPError:
                    traded = 0
                assert not relayer.ended, f"the relayer ended by itself\n{relayer.log()[-3000:]}"
                if not traded:
                    time.sleep(0.1)
                if time.monotonic() > look_at:
                    report.settled = len(set(exchange.settled_fill_ids()))
                    look_at = time.monotonic() + 2
                assert time.monotonic() - started < 240 + fills, f"{report.settled} settled; it makes no headway"
            node.calm()
            _come_to_rest(relayer, monkey.calm())
            monkey.end()
            _judge(report, exchange, relayer, crowd)
        finally:
            relayer.close()
            node.close()
        log = relayer.log()
        report.relayer_saw = {each: log.count(f'"event": "{each}"') for each in SEEN}
        report.requests = node.requests
        report.faults = {**node.faults, **monkey.faults, "relayer killed": report.restarts}
        report.seconds = time.monotonic() - started
    return report


def _come_to_rest(relayer: RelayerProcess, height: int) -> None:
    """Until everything is decided in the chain beyond `height`: what rests below it may yet be taken back."""

    def rests() -> bool:
        try:
            ready = relayer.http.get("/ready").json()
        except httpx.HTTPError:
            return False
        if not ready["ready"] or int(ready["height"]) <= height:
            return False
        return bool(ready["unsettledFills"] == 0 and ready["batchesInFlight"] == 0)

    eventually(rests, "rest", within_s=150)


def _judge(report: Report, exchange: World, relayer: RelayerProcess, crowd: Crowd) -> None:
    relayer.catch_up()
    on_chain = exchange.settled_fill_ids()
    assert len(on_chain) == len(set(on_chain)), "a fill settled twice"
    said: dict[int, dict[str, Any]] = {}
    seq = 1
    while page := relayer.events(seq):
        said |= {entry["fillId"]: entry for entry in page if entry["type"] == "fill"}
        seq = page[-1]["seq"] + 1
    landed = {fill_id for fill_id, entry in said.items() if entry["status"] in ("confirmed", "final")}
    undone = {fill_id for fill_id, entry in said.items() if entry["status"] == "rejected"}
    assert landed | undone == set(said), "a fill is undecided"
    assert landed == set(on_chain), f"the relayer and the chain disagree on {sorted(landed ^ set(on_chain))[:10]}"
    sizes: Counter[str] = Counter()
    for fill_id in landed:
        entry = said[fill_id]
        lots = entry["size"] if entry["takerSide"] == "BUY" else -entry["size"]
        sizes[entry["taker"]] += lots
        sizes[entry["maker"]] -= lots
    for key in crowd.keys:
        assert exchange.size_of(key) == sizes[key.address], "a position is not the sum of the settled fills"
    report.settled, report.undone, report.batches = len(on_chain), len(undone), len(exchange.batches())
