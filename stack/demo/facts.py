# SPDX-License-Identifier: AGPL-3.0-only
"""What chain, relayer and indexer each say at the end, gathered for the audit. Addresses are lower-case hex throughout.

Money is micro-USDC, sizes lots, prices micro-USDC per lot; the indexer's decimals are brought back to these exactly.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from stack.demo.model import Account
from stack.demo.raw import Event, RawChain

TIMEOUT_S = 20.0
PAGE = 1_000
MICRO = 10**6


@dataclass(frozen=True)
class ChainFacts:
    """Raw answers of the contracts, all at one block. `positions` are words, `equity` is scaled by 2^32."""

    events: Sequence[Event]
    supply: int
    tokens: Mapping[str, int]
    vault: str
    cash: Mapping[Account, int]
    equity: Mapping[Account, int]
    positions: Mapping[tuple[Account, int], int]
    indices: Mapping[int, tuple[int, int]]
    open_interest: Mapping[int, int]
    insurance: int
    fees: int


@dataclass(frozen=True)
class SeenFill:
    """A fill as the relayer or the indexer tells it; both sides in one."""

    fill_id: int
    market: str
    price: int
    size: int
    taker: Account
    maker: Account
    taker_order: str
    maker_order: str
    taker_sold: bool
    taker_fee: int
    maker_fee: int


@dataclass(frozen=True)
class RelayerFacts:
    """Fills and orders as the event log leaves them: the last word on each."""

    fills: Mapping[int, SeenFill]
    statuses: Mapping[int, str]
    settled_twice: Sequence[int]
    orders: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class IndexerFacts:
    """Reads under /v4. `sides` counts the rows of each fill id; `liquidations` the rows of take-overs."""

    height: int
    fills: Mapping[int, SeenFill]
    sides: Mapping[int, int]
    liquidations: int
    positions: Mapping[tuple[Account, str], int]
    cash: Mapping[Account, int]
    equity: Mapping[Account, int]


@dataclass(frozen=True)
class Facts:
    """All sides. `tickers` names the markets by id; `acknowledged` are the orders that clients got an answer for."""

    chain: ChainFacts
    relayer: RelayerFacts
    indexer: IndexerFacts
    tickers: Mapping[int, str]
    acknowledged: Sequence[str]


def read_chain(chain: RawChain, deployment: Mapping[str, Any]) -> ChainFacts:
    """Ask the contracts for everything that any event has ever mentioned."""
    contracts = {name: address.lower() for name, address in deployment["contracts"].items()}
    exchange, vault, usdc = contracts["exchange"], contracts["vault"], contracts["usdc"]
    events = chain.events([exchange, vault, usdc], deployment["startBlock"])
    accounts = sorted(_accounts(events))
    markets = [market["id"] for market in deployment["markets"]]
    holders = sorted(
        {event.args[end] for event in events if event.name == "Transfer" for end in ("sender", "receiver")}
    )
    nobody = "0x" + "00" * 20
    position = "position(address,uint256,uint256)"
    margin = ["int256", "uint256", "uint256", "bool"]
    indices = ["int256", "int256", "uint256", "int256"]
    return ChainFacts(
        events=events,
        supply=chain.number(usdc, "totalSupply()"),
        tokens={a: chain.number(usdc, "balanceOf(address)", a) for a in holders if a != nobody},
        vault=vault,
        cash={a: chain.number(exchange, "cash(address,uint256)", *a, kind="int256") for a in accounts},
        equity={a: chain.call(exchange, "margin_of(address,uint256)", margin, *a)[0] for a in accounts},
        positions={(a, m): chain.number(exchange, position, *a, m) for a in accounts for m in markets},
        indices={m: chain.call(exchange, "market_indices(uint256)", indices, m)[:2] for m in markets},
        open_interest={m: chain.number(exchange, "open_interest(uint256)", m) for m in markets},
        insurance=chain.number(exchange, "insurance()"),
        fees=chain.number(exchange, "fees()"),
    )


def _accounts(events: Sequence[Event]) -> set[Account]:
    found = set()
    for event in events:
        args = event.args
        if event.name in ("Credited", "Debited"):
            found.add((args["account"], args["subaccount"]))
        elif event.name == "BackstopSet":
            found.add((args["backstop"], 0))
        elif event.name == "Liquidated":
            found.add((args["liquidator"], args["liquidator_subaccount"]))
    return found


def read_relayer(url: str, headers: Mapping[str, str]) -> RelayerFacts:
    """Fold the relayer's whole event log; `headers` open it."""
    fills: dict[int, SeenFill] = {}
    statuses: dict[int, str] = {}
    transactions: dict[int, set[str]] = {}
    orders: dict[str, Mapping[str, Any]] = {}
    for record in _log(url, headers):
        if record["type"] == "order":
            orders[record["order"]["id"].lower()] = record["order"]
        elif record["type"] == "fill":
            fill_id = int(record["fillId"])
            fills[fill_id] = _relayed(record)
            statuses[fill_id] = record["status"]
            if record["status"] in ("confirmed", "final"):
                transactions.setdefault(fill_id, set()).add(record["transactionHash"])
    twice = [fill_id for fill_id, hashes in transactions.items() if len(hashes) > 1]
    return RelayerFacts(fills, statuses, twice, orders)


def _log(url: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    with httpx.Client(timeout=TIMEOUT_S, headers=headers) as http:
        while True:
            at = records[-1]["seq"] + 1 if records else 1
            answer = http.get(f"{url}/events", params={"from": at, "limit": PAGE, "wait": 0})
            answer.raise_for_status()
            page = [json.loads(line) for line in answer.text.splitlines() if line]
            if not page:
                return records
            records += page


def _relayed(record: Mapping[str, Any]) -> SeenFill:
    notional = record["price"] * record["size"]
    return SeenFill(
        fill_id=int(record["fillId"]),
        market=record["market"],
        price=record["price"],
        size=record["size"],
        taker=(record["taker"].lower(), record["takerSubaccount"]),
        maker=(record["maker"].lower(), record["makerSubaccount"]),
        taker_order=record["takerOrderId"].lower(),
        maker_order=record["makerOrderId"].lower(),
        taker_sold=record["takerSide"] == "SELL",
        taker_fee=-(-notional * record["takerFeePpm"] // MICRO),
        maker_fee=-(-notional * record["makerFeePpm"] // MICRO),
    )


def read_indexer(url: str, deployment: Mapping[str, Any], accounts: Sequence[Account]) -> IndexerFacts:
    """Ask the front door for every account that the chain knows."""
    markets = {market["ticker"]: market for market in deployment["markets"]}
    rows: dict[int, dict[str, tuple[Account, Mapping[str, Any]]]] = {}
    sides: dict[int, int] = {}
    positions: dict[tuple[Account, str], int] = {}
    cash: dict[Account, int] = {}
    equity: dict[Account, int] = {}
    liquidations = 0
    with httpx.Client(base_url=f"{url}/v4", timeout=TIMEOUT_S) as http:
        height = int(_get(http, "/height")["height"])
        for account in accounts:
            owner, number = account
            whose = {"address": owner, "subaccountNumber": number}
            for row in _get(http, "/fills", **whose, limit=PAGE)["fills"]:
                if row["type"] != "LIMIT":
                    liquidations += 1
                    continue
                fill_id = int(row["id"])
                sides[fill_id] = sides.get(fill_id, 0) + 1
                rows.setdefault(fill_id, {})[row["liquidity"]] = (account, row)
            for row in _get(http, "/perpetualPositions", **whose, status="OPEN")["positions"]:
                positions[account, row["market"]] = _scaled(row["size"], markets[row["market"]]["sizeDecimals"])
            held = _get(http, f"/addresses/{owner}/subaccountNumber/{number}")["subaccount"]
            cash[account] = sum(
                _scaled(asset["size"], 6) * (1 if asset["side"] == "LONG" else -1)
                for asset in held["assetPositions"].values()
            )
            equity[account] = _scaled(held["equity"], 6)
    fills = {
        fill_id: _indexed(fill_id, both, markets) for fill_id, both in rows.items() if both.keys() == {"TAKER", "MAKER"}
    }
    return IndexerFacts(height, fills, sides, liquidations, positions, cash, equity)


def _get(http: httpx.Client, path: str, **params: Any) -> dict[str, Any]:
    answer = http.get(path, params=params)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def _indexed(
    fill_id: int, both: Mapping[str, tuple[Account, Mapping[str, Any]]], markets: Mapping[str, Mapping[str, Any]]
) -> SeenFill:
    (taker, took), (maker, made) = both["TAKER"], both["MAKER"]
    market = markets[took["market"]]
    return SeenFill(
        fill_id=fill_id,
        market=took["market"],
        price=_scaled(took["price"], market["priceDecimals"]),
        size=_scaled(took["size"], market["sizeDecimals"]),
        taker=taker,
        maker=maker,
        taker_order=took["orderId"].lower(),
        maker_order=made["orderId"].lower(),
        taker_sold=took["side"] == "SELL",
        taker_fee=_scaled(took["fee"], 6),
        maker_fee=_scaled(made["fee"], 6),
    )


def _scaled(text: str, decimals: int) -> int:
    """A decimal string as a whole number of units. Raises `ValueError` if it is finer than the unit."""
    value = Decimal(text).scaleb(decimals)
    if value != int(value):
        raise ValueError(f"{text} is finer than {decimals} decimals")
    return int(value)
