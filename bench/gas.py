# SPDX-License-Identifier: AGPL-3.0-only
"""Gas per fill on a real node, beside what the same work costs on other exchanges.

Receipt `gasUsed` divided by fills, calldata and the 21,000 of the transaction included, between accounts that have
traded before ("warm") and with everything on: signatures, isolation of each fill, margin of both sides, fees, funding,
open interest. Gas is deterministic: block times and keys are fixed.

    python -m bench.gas [--json FILE]
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.anvil import Rpc, anvil, deploy_on
from tests.support.system import System
from tests.support.wire import Fill, Order, Signed, sign_order, wallet

RESULTS = Path(__file__).with_name("results") / "gas.json"
START = 1_800_000_000
USDC = 10**6
PRICE = {1: 2_300_000, 2: 1_600_000}
TICKER = {1: "BTC-USD", 2: "ETH-USD"}
SIZES = (1, 8, 32)

# Measured with the same anvil from the peers' own sources, in the same way; None where a batch does not fit.
PEERS: dict[str, dict[int, int | None]] = {
    "dYdX v1, only the maker signs": {1: 177_800, 8: 115_600, 32: 111_200},
    "dYdX v1, both sides sign": {1: 259_300, 8: 185_200, 32: 181_700},
    "Vertex as published, signatures and health checks disabled": {1: 268_800, 8: 154_900, 32: 142_900},
    "Vertex with signatures and health checks": {1: 360_900, 8: 219_900, 32: 205_000},
    "Derive v2, 1 taker and N makers": {1: 1_105_000, 8: 654_000, 32: None},
}
TARGETS = {
    "one market": {1: 85_000, 32: 45_000},
    "two markets per account": {32: 52_000},
    "sweep of 4 takers over 8 makers each": {32: 35_000},
    "rejected for a stateless reason": {32: 13_000},
}


@dataclass
class Bench:
    """A deployment with 32 makers and 32 takers whose accounts, positions and slots are all in use."""

    system: System
    rpc: Rpc
    now: int = START + 1_000
    fill_id: int = 0

    def __post_init__(self) -> None:
        self.takers = [wallet(f"gas taker {number}") for number in range(32)]
        self.makers = [wallet(f"gas maker {number}") for number in range(32)]
        for key in (*self.takers, *self.makers):
            self.rpc.fund(key.address)
            self.system.fund(key.address, 1_000_000 * USDC)

    def tick(self) -> None:
        """Half a minute later, with fresh prices, which somebody else paid for."""
        self.now += 30
        self.rpc.at(self.now)
        self.system.push(PRICE, self.now)
        self.now += 1
        self.rpc.at(self.now)

    def order(self, key: Any, side: str, market: int = 1, **fields: Any) -> Signed:
        base: dict[str, Any] = {
            "market": TICKER[market],
            "side": side,
            "size": 1_000,
            "limit_price": PRICE[market],
            "account": key.address,
            "generation": self.now * 1000,
            "expiry": self.now + 86_400,
            "slot": market,
        }
        return sign_order(key, self.system.domain, Order(**(base | fields)), market)

    def fill(self, taker: int, maker: int, market: int = 1, **fields: Any) -> Fill:
        self.fill_id += 1
        return Fill(
            self.fill_id, **({"price": PRICE[market], "size": 7} | fields), taker=taker, maker=maker, taker_fee=350
        )

    def pairs(
        self, count: int, market: int = 1, price: int | None = None, **taker: Any
    ) -> tuple[list[Signed], list[Fill]]:
        """`count` takers, each with a maker of its own."""
        orders: list[Signed] = []
        fills: list[Fill] = []
        for number in range(count):
            orders.append(self.order(self.takers[number], "BUY", market, **taker))
            orders.append(self.order(self.makers[number], "SELL", market))
            fills.append(self.fill(2 * number, 2 * number + 1, market, **({} if price is None else {"price": price})))
        return orders, fills

    def sweep(self, takers: int, each: int) -> tuple[list[Signed], list[Fill]]:
        """Each of the takers trades with `each` makers of their own."""
        orders = [self.order(self.takers[number], "BUY") for number in range(takers)]
        fills = []
        for number in range(takers * each):
            orders.append(self.order(self.makers[number], "SELL"))
            fills.append(self.fill(number // each, takers + number))
        return orders, fills

    def settle(self, orders: list[Signed], fills: list[Fill], *, rejects: bool = False) -> tuple[int, int]:
        """Gas used and bytes of calldata."""
        system = self.system
        system.batches += 1
        head = system.batches.to_bytes(31, "big").rjust(32, b"\xa5")
        arguments = system.head, head, [signed.words for signed in orders], [fill.word() for fill in fills]
        receipt = system.exchange.send(system.keys.operator.address).settle(*arguments)
        system.head = head
        [batch] = receipt.named("BatchSettled")
        assert (batch.settled, batch.rejected) == ((0, len(fills)) if rejects else (len(fills), 0))
        return receipt.gas_used, len(system.exchange.data("settle", *arguments))


def measure() -> dict[str, Any]:
    """Scenario to gas per fill by batch size; and calldata per fill, and gas of the other entry points."""
    with anvil("--timestamp", str(START), "--order", "fifo") as node:
        node.rpc.at(START + 1)
        bench = Bench(deploy_on(node.rpc), node.rpc)
        fills: dict[str, dict[str, int]] = {}

        def record(name: str, count: int, build: Callable[[], tuple[list[Signed], list[Fill]]], **how: Any) -> int:
            bench.tick()
            gas, calldata = bench.settle(*build(), **how)
            fills.setdefault(name, {})[str(count)] = gas // count
            return calldata // count

        bench.tick()
        bench.settle(*bench.pairs(32))  # from here on everybody has traded
        calldata = 0
        for count in SIZES:
            calldata = record("one market", count, lambda: bench.pairs(count))  # noqa: B023
        record("one market, takers immediate-or-cancel", 32, lambda: bench.pairs(32, slot=0, time_in_force="IOC"))
        record("sweep of 4 takers over 8 makers each", 32, lambda: bench.sweep(4, 8))
        record("rejected for a stateless reason", 32, lambda: bench.pairs(32, price=PRICE[1] + 100), rejects=True)
        record("rejected, order expired", 32, lambda: bench.pairs(32, expiry=bench.now - 1), rejects=True)
        bench.tick()
        bench.settle(*bench.pairs(32, market=2))  # from here on everybody has two positions
        for count in SIZES:
            record("two markets per account", count, lambda: bench.pairs(count))  # noqa: B023
        return {"gas_per_fill": fills, "calldata_bytes_per_fill": calldata, "gas": entry_points(bench)}


def entry_points(bench: Bench) -> dict[str, int]:
    """What users pay for the other things they do, with storage already in use."""
    system, owner = bench.system, bench.takers[0].address
    bench.tick()
    system.usdc.send(owner).mint(owner, 10 * USDC)
    system.usdc.send(owner).approve(system.vault.address, 10 * USDC)
    gas = {}
    gas["deposit"] = system.vault.send(owner).deposit(owner, 0, 5 * USDC).gas_used
    gas["request_withdrawal"] = system.vault.send(owner).request_withdrawal(0, 5 * USDC, owner).gas_used
    gas["cancel_slot"] = system.exchange.send(owner).cancel_slot(1).gas_used
    gas["cancel_all"] = system.exchange.send(owner).cancel_all(0).gas_used
    bench.now += 150
    bench.tick()
    gas["execute_withdrawal"] = system.vault.send(owner).execute_withdrawal(1).gas_used
    gas["poke"] = system.exchange.send(owner).poke(2).gas_used
    gas["liquidate"] = _liquidate(bench)
    return gas


def _liquidate(bench: Bench) -> int:
    system = bench.system
    victim, counterparty = wallet("gas victim"), bench.makers[1]
    bench.rpc.fund(victim.address)
    system.fund(victim.address, 200 * USDC)
    bench.tick()
    orders = [bench.order(victim, "BUY", slot=9), bench.order(counterparty, "SELL", slot=9)]
    bench.settle(orders, [bench.fill(0, 1, size=1_000)])
    bench.now += 30
    bench.rpc.at(bench.now)
    system.push({1: PRICE[1] * 94 // 100}, bench.now)
    liquidator = bench.takers[1].address
    return int(system.exchange.send(liquidator).liquidate(victim.address, 0, 1, 10**6, 0).gas_used)


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title="Gas per fill, calldata and the 21,000 of the transaction included")
    table.add_column("")
    for count in SIZES:
        table.add_column(f"N = {count}", justify="right")
    table.add_column("target at 1 / 32", justify="right")
    for name, figures in result["gas_per_fill"].items():
        goal = TARGETS.get(name, {})
        goals = " / ".join(f"{goal[count]:,}" if count in goal else "-" for count in (1, 32)) if goal else ""
        table.add_row(f"Ouro, {name}", *(_figure(figures.get(str(count))) for count in SIZES), goals)
    table.add_section()
    for name, peer in PEERS.items():
        table.add_row(name, *(_figure(peer[count]) for count in SIZES), "")
    console.print(table)
    console.print(f"Calldata per fill at N = 32: {result['calldata_bytes_per_fill']} bytes (target 300)")
    console.print("Gas of a call: " + ", ".join(f"{name} {gas:,}" for name, gas in result["gas"].items()))


def _figure(gas: int | None) -> str:
    return "-" if gas is None else f"{gas:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Gas per fill.")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go (default {RESULTS.name})")
    target = parser.parse_args().json
    result = measure()
    show(result, Console(width=120))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
