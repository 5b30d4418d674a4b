# SPDX-License-Identifier: AGPL-3.0-only
"""What accounts are worth, by the contract's own arithmetic (`ouro.maths`), at the time of the newest block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from indexer.reads.catalog import Catalog, Listing
from indexer.store.query import rows
from indexer.store.schema import accounts, position_words
from ouro.markets import MarketState
from ouro.maths import funding, margin
from ouro.maths.funding import FundingState
from ouro.maths.margin import Leg, Margin
from ouro.units import MAX_AHEAD_MS, SCALE

_MAX_AHEAD_S = MAX_AHEAD_MS // 1000


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
    now = {listing.id: present(listing, known.time_s) for listing in known.by_id.values()}
    return [_health(row, words.get(row["subaccount"], []), known, now) for row in rows(connection, query)]


@dataclass(frozen=True)
class Present:
    """A market's indices brought up to a time, as the contract's views do, whether its price is fresh, and its initial
    margin as open interest scales it.
    """

    g_long: int
    g_short: int
    index: int
    fresh: bool
    imf_ppm: int


def present(listing: Listing, now_s: int) -> Present:
    """Open the hour if nobody has yet; a stale price opens none. A settled market stands still."""
    row = listing.row
    published_at, price = row["published_at"], row["index_price"]
    is_settled = row["state"] == MarketState.SETTLED
    fresh = bool(price) and published_at - _MAX_AHEAD_S <= now_s <= published_at + row["max_price_age"]
    state = funding_state(row)
    if fresh and not is_settled:
        state = funding.touch(state, now_s, price)
    g_long, g_short = funding.indices(state, now_s)
    imf = margin.scaled_imf(row["imf_ppm"], row["scale_from"], row["scale_to"], row["open_interest"] * price)
    return Present(g_long, g_short, price, fresh or is_settled, imf)


def funding_state(row: Mapping[str, Any]) -> FundingState:
    """The funding part of a row of `market_states`."""
    return FundingState(
        g_long=row["g_long"],
        g_short=row["g_short"],
        slope=row["slope"],
        rate=row["rate"],
        premium_sum=row["premium_sum"],
        volume_sum=row["volume_sum"],
        hour=row["hour"],
        open_interest=row["open_interest"],
    )


def _health(
    account: Mapping[str, Any], words: Iterable[Mapping[str, Any]], known: Catalog, now: Mapping[int, Present]
) -> Health:
    holdings: dict[int, Holding] = {}
    legs: list[Leg] = []
    for word in words:
        market, size = word["market"], word["size"]
        listing, current = known.by_id[market], now[market]
        g = current.g_long if size > 0 else current.g_short
        holdings[market] = Holding(listing, size, word["quote_scaled"], g, current.index)
        legs.append(
            Leg(
                size=size,
                q=word["quote_scaled"],
                g=g,
                price=current.index,
                imf_ppm=current.imf_ppm,
                mmf_ppm=listing.row["mmf_ppm"],
            )
        )
    return Health(
        owner=account["owner"],
        subaccount=account["subaccount"],
        cash=account["cash"],
        updated_block=account["updated_block"],
        holdings=holdings,
        margin=margin.evaluate(account["cash"], legs),
        stale=any(not now[market].fresh for market in holdings),
    )
