# SPDX-License-Identifier: AGPL-3.0-only
"""What accounts are worth, by the contract's own arithmetic (`ouro.maths`), at the time of the newest block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, tuple_

from indexer.reads.catalog import Catalog, Listing
from indexer.store.query import rows
from indexer.store.schema import accounts, position_words
from indexer.views.worth import Present, leg, present
from ouro.maths import margin
from ouro.maths.margin import Leg, Margin
from ouro.units import SCALE

_ACCOUNTS = 400
"""Accounts asked for in one statement."""


@dataclass(frozen=True)
class Holding:
    """A position's word, its market brought up to the present, and its quote now, scaled by 2^32."""

    listing: Listing
    size: int
    quote_scaled: int
    g: int
    index: int

    @property
    def bare_scaled(self) -> int:
        return self.quote_scaled - self.size * self.g


@dataclass(frozen=True)
class Health:
    """An account's cash (micro-USDC), positions by market id, and margin."""

    owner: str
    subaccount: int
    cash: int
    updated_block: int
    holdings: Mapping[int, Holding]
    margin: Margin
    stale: bool

    @property
    def equity(self) -> int:
        """Micro-USDC, rounded down."""
        return self.margin.equity_scaled // SCALE

    @property
    def free_collateral(self) -> int:
        """Equity beyond initial margin, micro-USDC, rounded down; negative when it lacks."""
        return (self.margin.equity_scaled - self.margin.im_scaled) // SCALE

    @property
    def withdrawable(self) -> int:
        """What the contract would pay out now, micro-USDC."""
        return 0 if self.stale else margin.withdrawable(self.cash, self.margin)


def healths(
    connection: Connection, known: Catalog, owner: str, subaccounts: Sequence[int] | None = None
) -> list[Health]:
    """The subaccounts of an address that ever held anything (only those in `subaccounts`, if given), by number."""
    conditions: list[Any] = [accounts.c.owner == owner]
    held: list[Any] = [position_words.c.owner == owner, position_words.c.size != 0]
    if subaccounts is not None:
        conditions.append(accounts.c.subaccount.in_(subaccounts))
        held.append(position_words.c.subaccount.in_(subaccounts))
    words: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows(connection, select(position_words).where(*held)):
        words.setdefault(row["subaccount"], []).append(row)
    query = select(accounts).where(*conditions).order_by(accounts.c.subaccount)
    now = {listing.id: present(listing.row, known.time_s) for listing in known.by_id.values()}
    return [_health(row, words.get(row["subaccount"], []), known, now) for row in rows(connection, query)]


def healths_of(
    connection: Connection, known: Catalog, wanted: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], Health]:
    """What many accounts are worth, in two queries for each few hundred; those that never held anything are absent."""
    now = {listing.id: present(listing.row, known.time_s) for listing in known.by_id.values()}
    found: dict[tuple[str, int], Health] = {}
    for start in range(0, len(wanted), _ACCOUNTS):
        part = list(wanted[start : start + _ACCOUNTS])
        held = tuple_(position_words.c.owner, position_words.c.subaccount).in_(part)
        words: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
        for row in rows(connection, select(position_words).where(held, position_words.c.size != 0)):
            words.setdefault((row["owner"], row["subaccount"]), []).append(row)
        own = tuple_(accounts.c.owner, accounts.c.subaccount).in_(part)
        for row in rows(connection, select(accounts).where(own)):
            account = (row["owner"], row["subaccount"])
            found[account] = _health(row, words.get(account, []), known, now)
    return found


def _health(
    account: Mapping[str, Any], words: Iterable[Mapping[str, Any]], known: Catalog, now: Mapping[int, Present]
) -> Health:
    holdings: dict[int, Holding] = {}
    legs: list[Leg] = []
    for word in words:
        market, size = word["market"], word["size"]
        listing, current = known.by_id[market], now[market]
        legs.append(leg(word, listing.row, current))
        holdings[market] = Holding(listing, size, word["quote_scaled"], legs[-1].g, current.index)
    return Health(
        owner=account["owner"],
        subaccount=account["subaccount"],
        cash=account["cash"],
        updated_block=account["updated_block"],
        holdings=holdings,
        margin=margin.evaluate(account["cash"], legs),
        stale=any(not now[market].fresh for market in holdings),
    )
