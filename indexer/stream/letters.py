# SPDX-License-Identifier: AGPL-3.0-only
"""What happened, as letters: from one block, one reorg, one run of the relayer's records. Called in the transaction
that wrote them, for every account that changed, with a fixed number of queries however many that are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from indexer.orders.records import FillRecord, OrderRecord
from indexer.reads import accounts, markets, orders, tape
from indexer.reads.catalog import Catalog, Listing, catalog
from indexer.reads.health import Health, healths_of
from indexer.reads.text import usd
from indexer.store import order_schema, outbox, schema
from indexer.store.chain_store import Reversal
from indexer.store.outbox import PUBLIC, Draft
from indexer.store.query import rows
from indexer.store.unit import BlockUnit
from indexer.views.candles import RESOLUTIONS
from indexer.views.custody import transfer_id
from indexer.views.rows import Row

Account = tuple[str, int]

_RESOLUTION_NAMES = {seconds: name for name, seconds in RESOLUTIONS.items()}
_IDS = 500


class Letters:
    """Writes to the outbox; what the stores call a teller."""

    def block(self, connection: Connection, unit: BlockUnit) -> None:
        """A block was applied, and its rows are written."""
        known = catalog(connection)
        changed = [(row["owner"], row["subaccount"]) for row in unit.changed(schema.accounts)]
        health = healths_of(connection, known, changed)
        drafts = [public(_of_market_data(connection, known, unit))]
        for account in changed:
            messages = _of_account(known, unit, account, health.get(account))
            drafts.extend(Draft(*account, contents | _where(known)) for contents in messages)
        outbox.append(connection, [draft for draft in drafts if draft.contents])

    def reversal(self, connection: Connection, reversal: Reversal) -> None:
        """Blocks were taken back: ids that no longer stand, and what is so now."""
        known = catalog(connection)
        updates = [
            ["v4_trades", known.by_id[market].ticker, {"trades": [], "reverted": ids, "height": str(known.height)}]
            for market, ids in reversal.trades.items()
            if market in known.by_id
        ]
        updates.append(["v4_markets", "", _of_all_markets(connection, known)])
        changed = sorted(reversal.accounts)
        health = healths_of(connection, known, changed)
        opened = _open_positions(connection, known, health)
        drafts = [public(updates)]
        for account in changed:
            contents = {
                "reverted": {
                    "fills": reversal.fills.get(account, []),
                    "transfers": reversal.transfers.get(account, []),
                },
                **_standing(account, health.get(account)),
                "perpetualPositions": opened.get(account, []),
            }
            drafts.append(Draft(*account, contents | _where(known)))
        outbox.append(connection, [draft for draft in drafts if draft.contents])

    def finality(self, connection: Connection, above: int, to: int) -> None:
        """What was confirmed is final: ids of fills and transfers, to their accounts."""
        found: dict[Account, dict[str, list[str]]] = {}
        for table, name in ((schema.fills, "fills"), (schema.transfers, "transfers")):
            columns = [table.c.owner, table.c.subaccount, table.c.block_number, table.c.log_index]
            columns += [table.c.id] if name == "fills" else [table.c.transaction_hash]
            query = select(*columns).where(table.c.block_number > above, table.c.block_number <= to)
            for row in connection.execute(query.order_by(table.c.block_number, table.c.log_index)):
                id_ = row.id if name == "fills" else transfer_id(row.transaction_hash, row.log_index)
                account = found.setdefault((row.owner, row.subaccount), {"fills": [], "transfers": []})
                account[name].append(id_)
        if found:
            where = _where(catalog(connection))
            outbox.append(connection, [Draft(*account, {"final": ids} | where) for account, ids in found.items()])

    def records(self, connection: Connection, records: Sequence[OrderRecord | FillRecord]) -> None:
        """Orders and matches changed. Orders are said as they are now, once each."""
        known = catalog(connection)
        told = _Told(records)
        by_id = {row["id"]: row for row in _found(connection, order_schema.orders, "id", list(told.orders))}
        matched = _found(connection, order_schema.matches, "fill_id", list(told.matches))
        by_fill = {row["fill_id"]: orders.match(row, listing) for row, listing in _listed(known, matched)}
        drafts = []
        for account, (order_ids, fill_ids) in told.accounts.items():
            own = sorted((by_id[id_] for id_ in order_ids), key=lambda row: int(row["updated_seq"]))
            shown = [(row["private"], orders.order(row, listing)) for row, listing in _listed(known, own)]
            contents: dict[str, Any] = {}
            if any(not private for private, _ in shown):
                contents["orders"] = [order for private, order in shown if not private]
            if fill_ids:
                contents["matches"] = [by_fill[id_] for id_ in fill_ids if id_ in by_fill]
            where = _where(known)
            owners = None
            if any(private for private, _ in shown):
                owners = contents | {"orders": [order for _, order in shown]} | where
            if contents or owners:
                drafts.append(Draft(*account, contents | where if contents else None, owners))
        outbox.append(connection, drafts)


class _Told:
    """Which orders and matches a run of records is about, by account."""

    def __init__(self, records: Sequence[OrderRecord | FillRecord]) -> None:
        self.orders: dict[str, None] = {}
        self.matches: dict[str, None] = {}
        self.accounts: dict[Account, tuple[dict[str, None], dict[str, None]]] = {}
        for record in records:
            if isinstance(record, OrderRecord):
                self.orders[record.order.id] = None
                self._of(record.order.account, record.order.subaccount)[0][record.order.id] = None
                continue
            id_ = str(record.fill_id)
            self.matches[id_] = None
            self._of(record.taker, record.taker_subaccount)[1][id_] = None
            self._of(record.maker, record.maker_subaccount)[1][id_] = None

    def _of(self, owner: str, subaccount: int) -> tuple[dict[str, None], dict[str, None]]:
        return self.accounts.setdefault((owner, subaccount), ({}, {}))


def public(updates: list[list[Any]]) -> Draft:
    """Updates for everybody, as [channel, id, contents]."""
    return Draft(PUBLIC, -1, {"updates": updates} if updates else None)


def _listed(known: Catalog, found: Sequence[Row]) -> list[tuple[Row, Listing]]:
    """Those of markets that the chain has told of, with these."""
    return [(row, known.by_ticker[row["market"]]) for row in found if row["market"] in known.by_ticker]


def _where(known: Catalog) -> dict[str, Any]:
    """What every message of an account says of the state it was made from."""
    return {
        "blockHeight": str(known.height),
        "height": str(known.height),
        "finalHeight": str(known.final),
        "relayerSeq": str(known.seq),
        "status": known.status_of(known.height),
    }


def _found(connection: Connection, table: Any, key: str, ids: list[str]) -> list[Row]:
    found: list[Row] = []
    for start in range(0, len(ids), _IDS):
        found += rows(connection, select(table).where(table.c[key].in_(ids[start : start + _IDS])))
    return found


def _of_market_data(connection: Connection, known: Catalog, unit: BlockUnit) -> list[list[Any]]:
    updates: list[list[Any]] = []
    for listing in known.by_id.values():
        printed = [row for row in unit.facts(schema.trades) if row["market"] == listing.id]
        if printed:
            contents = {"trades": [tape.trade(row, listing) for row in reversed(printed)]}
            updates.append(["v4_trades", listing.ticker, contents])
    for row in unit.changed(schema.candles):
        listing = known.by_id[row["market"]]
        resolution = _RESOLUTION_NAMES[row["resolution_s"]]
        updates.append(["v4_candles", f"{listing.ticker}/{resolution}", tape.candle(row, listing, resolution)])
    contents = _of_markets(connection, known, unit)
    return [*updates, ["v4_markets", "", contents]] if contents else updates


def _of_markets(connection: Connection, known: Catalog, unit: BlockUnit) -> dict[str, Any]:
    priced = {row["market"] for row in unit.facts(schema.oracle_prices)} | unit.repriced()
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
            known.by_id[id_].ticker: markets.trading(connection, known, known.by_id[id_])
            for id_ in sorted(traded)
            if id_ in known.by_id
        }
    return contents


def _of_all_markets(connection: Connection, known: Catalog) -> dict[str, Any]:
    listed = known.by_ticker.items()
    return {
        "oraclePrices": {ticker: markets.oracle_price(known, listing) for ticker, listing in listed},
        "trading": {ticker: markets.trading(connection, known, listing) for ticker, listing in listed},
    }


def _of_account(known: Catalog, unit: BlockUnit, account: Account, health: Health | None) -> list[dict[str, Any]]:
    """One message with everything of the block; a message holds one transfer, so further ones follow."""
    owner, subaccount = account

    def own(found: Sequence[Row]) -> list[Row]:
        return [row for row in found if (row["owner"], row["subaccount"]) == account]

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
    contents |= _standing(account, health)
    newest = {row["market"]: row for row in sorted(own(unit.changed(schema.positions)), key=lambda row: row["number"])}
    if newest and health is not None:
        contents["perpetualPositions"] = [
            {"address": owner, **accounts.position(row, known, health)} for row in newest.values()
        ]
    transfers = [accounts.transfer(row, known) for row in own(unit.facts(schema.transfers))]
    if transfers:
        contents["transfers"] = transfers[0]
    return [contents, *({"transfers": transfer} for transfer in transfers[1:])]


def _standing(account: Account, health: Health | None) -> dict[str, Any]:
    """Collateral and equity."""
    if health is None:
        return {"assetPositions": []}
    owner, subaccount = account
    return {
        "equity": usd(health.equity),
        "freeCollateral": usd(health.free_collateral),
        "assetPositions": [
            accounts.asset_position(health)
            | {"address": owner, "positionId": f"{owner}/{subaccount}/{accounts.COLLATERAL}"}
        ],
    }


def _open_positions(
    connection: Connection, known: Catalog, health: Mapping[Account, Health]
) -> dict[Account, list[dict[str, Any]]]:
    found: dict[Account, list[dict[str, Any]]] = {}
    for row in accounts.open_rows(connection, list(health)):
        account = (row["owner"], row["subaccount"])
        entry = {"address": account[0], **accounts.position(row, known, health[account])}
        found.setdefault(account, []).append(entry)
    return found
