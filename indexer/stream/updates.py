# SPDX-License-Identifier: AGPL-3.0-only
"""What happened, as stream messages: from one block, one reorg, one run of the relayer's records.

Each function reads one snapshot of the database and makes only what somebody listens to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from indexer.api.params import MAX_PARENT
from indexer.orders.records import BookRecord, FillRecord, OrderRecord
from indexer.reads import accounts, books, markets, orders, tape
from indexer.reads.accounts import Whose
from indexer.reads.catalog import Catalog, Listing, catalog
from indexer.reads.health import healths
from indexer.reads.text import iso, usd
from indexer.reads.window import Window
from indexer.store import order_schema, schema
from indexer.store.chain_store import Reversal
from indexer.store.query import rows
from indexer.store.unit import BlockUnit
from indexer.stream.hub import Hub, Stamp, Update
from indexer.views.candles import RESOLUTIONS
from indexer.views.rows import Row

_RESOLUTION_NAMES = {seconds: name for name, seconds in RESOLUTIONS.items()}


@dataclass(frozen=True)
class Wanted:
    """Ids that somebody listens to, by channel."""

    trades: Collection[str]
    candles: Collection[str]
    accounts: Collection[str]
    parents: Collection[str]
    markets: bool

    @classmethod
    def of(cls, hub: Hub) -> Wanted:
        return cls(
            trades=hub.wanted("v4_trades"),
            candles=hub.wanted("v4_candles"),
            accounts=hub.wanted("v4_subaccounts"),
            parents=hub.wanted("v4_parent_subaccounts"),
            markets=bool(hub.wanted("v4_markets")),
        )

    def account_keys(self, owner: str, subaccount: int) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Channels and ids that hear of an account, and what their messages carry besides contents."""
        found: list[tuple[str, str, Mapping[str, Any]]] = []
        for ids, channel, number in (
            (self.accounts, "v4_subaccounts", subaccount),
            (self.parents, "v4_parent_subaccounts", subaccount % MAX_PARENT),
        ):
            # ids are kept as the client wrote them
            found.extend(
                (channel, id_, {"subaccountNumber": subaccount})
                for id_ in ids
                if id_.lower() == f"{owner}/{number}".lower()
            )
        return found


def of_block(connection: Connection, unit: BlockUnit, version: int, wanted: Wanted) -> list[Update]:
    """A block was applied."""
    stamp = Stamp("chain", version)
    known = catalog(connection)
    updates: list[Update] = []
    for listing in known.by_id.values():
        rows = [row for row in unit.facts(schema.trades) if row["market"] == listing.id]
        if rows and listing.ticker in wanted.trades:
            contents = {"trades": [tape.trade(row, listing) for row in reversed(rows)]}
            updates.append(Update("v4_trades", listing.ticker, contents, stamp))
    for row in unit.changed(schema.candles):
        listing = known.by_id[row["market"]]
        resolution = _RESOLUTION_NAMES[row["resolution_s"]]
        id_ = f"{listing.ticker}/{resolution}"
        if id_ in wanted.candles:
            updates.append(Update("v4_candles", id_, tape.candle(row, listing, resolution), stamp))
    if wanted.markets:
        updates.extend(_markets(connection, known, unit, stamp))
    for row in unit.changed(schema.accounts):
        owner, subaccount = row["owner"], row["subaccount"]
        keys = wanted.account_keys(owner, subaccount)
        if keys:
            for contents in _account(connection, known, unit, owner, subaccount):
                updates.extend(Update(channel, id_, contents, stamp, extra) for channel, id_, extra in keys)
    return updates


def of_reversal(connection: Connection, reversal: Reversal, version: int, wanted: Wanted) -> list[Update]:
    """Blocks were taken back: ids that no longer stand, and what is so now."""
    stamp = Stamp("chain", version)
    known = catalog(connection)
    updates: list[Update] = []
    for market, ids in reversal.trades.items():
        listing = known.by_id.get(market)
        if listing is not None and listing.ticker in wanted.trades:
            contents: dict[str, Any] = {"trades": [], "reverted": ids, "height": str(reversal.to_block)}
            updates.append(Update("v4_trades", listing.ticker, contents, stamp))
    for owner, subaccount in sorted(reversal.fills.keys() | reversal.transfers.keys()):
        keys = wanted.account_keys(owner, subaccount)
        if not keys:
            continue
        contents = {
            "reverted": {
                "fills": reversal.fills.get((owner, subaccount), []),
                "transfers": reversal.transfers.get((owner, subaccount), []),
            },
            **_standing(connection, known, owner, subaccount, None),
        }
        updates.extend(Update(channel, id_, contents, stamp, extra) for channel, id_, extra in keys)
    return updates


def of_height(known_height: int, time_s: int, version: int) -> Update:
    contents = {"blockHeight": str(known_height), "time": iso(time_s)}
    return Update("v4_block_height", "", contents, Stamp("chain", version))


def of_book(record: BookRecord, listing: Listing) -> Update:
    return Update("v4_orderbook", listing.ticker, books.update(record, listing), Stamp("book", record.book_seq))


def of_records(connection: Connection, records: Sequence[OrderRecord | FillRecord], wanted: Wanted) -> list[Update]:
    """Orders and matches changed. Orders are said as they are now, once each."""
    known = catalog(connection)
    by_account: dict[tuple[str, int], dict[str, dict[str, int]]] = {}

    def note(owner: str, subaccount: int, kind: str, id_: str, seq: int) -> None:
        by_account.setdefault((owner, subaccount), {}).setdefault(kind, {})[id_] = seq

    for record in records:
        if isinstance(record, OrderRecord):
            note(record.order.account, record.order.subaccount, "orders", record.order.id, record.seq)
        else:
            note(record.taker, record.taker_subaccount, "matches", str(record.fill_id), record.seq)
            note(record.maker, record.maker_subaccount, "matches", str(record.fill_id), record.seq)
    updates: list[Update] = []
    for (owner, subaccount), changed in by_account.items():
        keys = wanted.account_keys(owner, subaccount)
        if not keys:
            continue
        told, waiting = _orders(connection, known, list(changed.get("orders", ())))
        contents: dict[str, Any] = {}
        if told:
            contents["orders"] = told
        if "matches" in changed:
            contents["matches"] = _matches(connection, known, list(changed["matches"]))
        seq = max(seq for ids in changed.values() for seq in ids.values())
        where = {"blockHeight": str(known.height), "seq": str(seq), "epoch": str(known.epoch)}
        stamp = Stamp("relayer", seq)
        public = contents | where if contents else None
        owners = contents | where | {"orders": _by_seq([*told, *waiting])} if waiting else None
        if public is not None or owners is not None:
            updates.extend(Update(channel, id_, public, stamp, extra, owners) for channel, id_, extra in keys)
    return updates


def _orders(
    connection: Connection, known: Catalog, ids: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Orders as they are now: what everybody may see, and what is for owners alone."""
    told: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for row in _rows(connection, known, order_schema.orders, order_schema.orders.c.id.in_(ids)):
        (waiting if row["private"] else told).append(orders.order(row, known.by_ticker[row["market"]]))
    return told, waiting


def _matches(connection: Connection, known: Catalog, ids: list[str]) -> list[dict[str, Any]]:
    found = _rows(connection, known, order_schema.matches, order_schema.matches.c.fill_id.in_(ids))
    return [orders.match(row, known.by_ticker[row["market"]]) for row in found]


def _rows(connection: Connection, known: Catalog, table: Any, wanted: Any) -> list[Row]:
    query = select(table).where(wanted).order_by(table.c.updated_seq)
    return [row for row in rows(connection, query) if row["market"] in known.by_ticker]


def _by_seq(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda order: int(order["seq"]))


def _markets(connection: Connection, known: Catalog, unit: BlockUnit, stamp: Stamp) -> list[Update]:
    priced = {row["market"] for row in unit.facts(schema.oracle_prices)}
    traded = {row["market"] for row in unit.changed(schema.market_states)} - priced
    traded |= {row["market"] for row in [*unit.facts(schema.trades), *unit.facts(schema.funding_accruals)]}
    traded |= {row["market"] for row in unit.changed(schema.markets)}
    contents: dict[str, Any] = {}
    if priced:
        contents["oraclePrices"] = {
            known.by_id[id_].ticker: markets.oracle_price(known, known.by_id[id_])
            for id_ in sorted(priced)
            if id_ in known.by_id
        }
    if traded:
        contents["trading"] = {
            known.by_id[id_].ticker: markets.trading(connection, known, known.by_id[id_]) for id_ in sorted(traded)
        }
    return [Update("v4_markets", "", contents, stamp)] if contents else []


def _account(
    connection: Connection, known: Catalog, unit: BlockUnit, owner: str, subaccount: int
) -> list[dict[str, Any]]:
    """One message with everything of the block; a message holds one transfer, so further ones follow."""

    def own(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row["owner"] == owner and row["subaccount"] == subaccount]

    contents: dict[str, Any] = {}
    fills = [
        {
            **accounts.fill(row, known),
            "subaccountId": f"{owner}/{subaccount}",
            "clobPairId": str(row["market"]),
            "quoteAmount": usd(row["size"] * row["price"]),
            "eventId": f"{row['block_number']}-{row['log_index']}",
            "ticker": known.by_id[row["market"]].ticker,
        }
        for row in own(unit.facts(schema.fills))
    ]
    if fills:
        contents["fills"] = fills
    moved = [row["market"] for row in own(unit.changed(schema.positions))]
    contents |= _standing(connection, known, owner, subaccount, moved)
    transfers = [accounts.transfer(row, known) for row in own(unit.facts(schema.transfers))]
    if transfers:
        contents["transfers"] = transfers[0]
    height = {"blockHeight": str(known.height), "seq": str(known.seq), "epoch": str(known.epoch)}
    return [contents | height, *({"transfers": transfer} | height for transfer in transfers[1:])]


def _standing(
    connection: Connection, known: Catalog, owner: str, subaccount: int, moved: Sequence[int] | None
) -> dict[str, Any]:
    """Collateral, equity, and positions: those in the markets that `moved`, or (None) every open one."""
    health = {entry.subaccount: entry for entry in healths(connection, known, owner, [subaccount])}
    if not health:
        return {"blockHeight": str(known.height), "perpetualPositions": [], "assetPositions": []}
    whose, now = Whose(owner, [subaccount]), health[subaccount]
    contents: dict[str, Any] = {
        "equity": usd(now.equity),
        "freeCollateral": usd(now.free_collateral),
        "assetPositions": [
            accounts.asset_position(now)
            | {"address": owner, "positionId": f"{owner}/{subaccount}/{accounts.COLLATERAL}"}
        ],
        "blockHeight": str(known.height),
    }
    if moved is None or moved:
        statuses = ["OPEN"] if moved is None else []
        found = accounts.positions(connection, known, whose, statuses, Window(limit=100), health)
        tickers = None if moved is None else {known.by_id[market].ticker for market in moved}
        contents["perpetualPositions"] = _latest(found, tickers, owner)
    return contents


def _latest(positions: Sequence[dict[str, Any]], tickers: Collection[str] | None, owner: str) -> list[dict[str, Any]]:
    """The newest position of each market."""
    found: dict[str, dict[str, Any]] = {}
    for entry in positions:
        if (tickers is None or entry["market"] in tickers) and entry["market"] not in found:
            found[entry["market"]] = {"address": owner, **entry}
    return list(found.values())
