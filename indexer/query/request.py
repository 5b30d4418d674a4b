# SPDX-License-Identifier: AGPL-3.0-only
"""What was asked for, strictly: here an unknown parameter is an error, since a filter that is not applied is a lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from indexer.api.errors import ApiError, bad_parameter
from indexer.api.params import Params
from indexer.query import cursor
from indexer.query.cursor import Key
from indexer.reads.catalog import Catalog, Listing

SORTS = ("time", "price", "size")
ORDERS = ("desc", "asc")
AGGREGATES = ("market", "side", "day", "hour", "address")
FORMATS = ("json", "csv", "parquet")
SIDES = ("BUY", "SELL")
LIQUIDITIES = ("TAKER", "MAKER")
TYPES = ("LIMIT", "LIQUIDATED", "LIQUIDATION", "DELEVERAGED", "OFFSETTING", "CLOSED", "SETTLED")
MAX_ROWS = 1_000
MAX_EXPORTED = 50_000
_MAX_UNITS = 2**62
PARAMETERS = {
    "market": "tickers such as BTC-USD; a list",
    "ticker": "the same",
    "address": "whose sides of fills; without it the prints of the tape",
    "subaccountNumber": "with address; 0 unless given",
    "side": "BUY, SELL; a list",
    "type": f"{', '.join(TYPES)}; a list",
    "liquidity": "TAKER, MAKER, with address; a list",
    "priceMin": "inclusive, with one market",
    "priceMax": "inclusive, with one market",
    "sizeMin": "inclusive, with one market",
    "sizeMax": "inclusive, with one market",
    "createdOnOrAfter": "inclusive, ISO-8601",
    "createdBeforeOrAt": "inclusive, ISO-8601",
    "createdOnOrAfterHeight": "inclusive, block number",
    "createdBeforeOrAtHeight": "inclusive, block number",
    "sort": "time (default); with one market price or size",
    "order": "desc (default), asc",
    "cursor": "goes on after the page that it came with",
    "limit": "up to 1,000 rows, of files 50,000",
    "aggregate": f"sums by {', '.join(AGGREGATES)}",
    "format": "json (default), csv, parquet",
    "atSeq": "waits until that record of the relayer's log is applied",
}
"""What the query takes, and what that means."""


@dataclass(frozen=True)
class Account:
    """Whose sides of fills are asked for."""

    owner: str
    subaccount: int


@dataclass(frozen=True)
class TradeQuery:
    """Inclusive ends throughout; prices and sizes in protocol units, times in seconds since 1970."""

    markets: Sequence[Listing]
    account: Account | None
    sides: Sequence[str]
    types: Sequence[str]
    liquidities: Sequence[str]
    prices: tuple[int | None, int | None]
    sizes: tuple[int | None, int | None]
    times_s: tuple[int | None, int | None]
    heights: tuple[int | None, int | None]
    sort: str
    is_descending: bool
    after: Key | None
    limit: int
    aggregate: str | None
    format: str

    @property
    def order(self) -> str:
        """Names the order of rows, for cursors."""
        return order_name(self.account is not None, self.sort, self.is_descending)


def order_name(is_account: bool, sort: str, is_descending: bool) -> str:
    return f"{'fills' if is_account else 'trades'} {sort} {'desc' if is_descending else 'asc'}"


def parse(params: Params, catalog: Catalog) -> TradeQuery:
    """Read a query. Raises an `ApiError` that names the parameter."""
    check_known(params, PARAMETERS)
    markets = params.listings(catalog)
    account = _account(params)
    liquidities = params.texts("liquidity", among=LIQUIDITIES)
    aggregate = choice(params, "aggregate", AGGREGATES)
    sort = choice(params, "sort", SORTS) or "time"
    is_descending = (choice(params, "order", ORDERS) or "desc") == "desc"
    format_ = choice(params, "format", FORMATS) or "json"
    if liquidities and account is None:
        raise bad_parameter("liquidity", "a print has a taker and a maker: name an address to ask for one of them")
    for name in ("priceMin", "priceMax", "sizeMin", "sizeMax"):
        if params.text(name) and len(markets) != 1:
            raise bad_parameter(name, f"{name} is in a market's own units: name one market")
    if sort != "time" and len(markets) != 1:
        raise bad_parameter("sort", f"{sort} compares within a market only: name one market")
    if aggregate is not None:
        for name in ("cursor", "sort", "order"):
            if params.text(name):
                raise bad_parameter(name, f"sums have no {name}: leave it out, or aggregate")
    listing = markets[0] if len(markets) == 1 else None
    text = params.text("cursor")
    kinds: tuple[type, ...] = (int, int) if account is None else (int, int, str)
    return TradeQuery(
        markets=markets,
        account=account,
        sides=params.texts("side", among=SIDES),
        types=params.texts("type", among=TYPES),
        liquidities=liquidities,
        prices=_range(params, "price", listing.price_decimals if listing else 0),
        sizes=_range(params, "size", listing.size_decimals if listing else 0),
        times_s=times_of(params),
        heights=heights_of(params),
        sort=sort,
        is_descending=is_descending,
        after=None
        if text is None
        else _cursor(text, order_name(account is not None, sort, is_descending), kinds, sort),
        limit=limit_of(params, MAX_ROWS if format_ == "json" else MAX_EXPORTED),
        aggregate=aggregate,
        format=format_,
    )


def _account(params: Params) -> Account | None:
    if params.text("address") is None:
        if params.text("subaccountNumber") is not None:
            raise bad_parameter("subaccountNumber", "subaccountNumber goes with an address")
        return None
    return Account(params.owner(), params.subaccount())


def described(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Parameters as OpenAPI has them."""
    return [
        {"name": name, "in": "query", "required": False, "description": what, "schema": {"type": "string"}}
        for name, what in parameters.items()
    ]


def check_known(params: Params, known: Collection[str]) -> None:
    """Raises an `ApiError` for a parameter that the query does not know."""
    for name in params.names():
        if name not in known:
            raise bad_parameter(name, f"{name[:40]} is no parameter of this query; it knows {', '.join(sorted(known))}")


def times_of(params: Params) -> tuple[int | None, int | None]:
    """From and until when, in seconds since 1970."""
    return ordered("createdOnOrAfter", params.time_s("createdOnOrAfter", up=True), params.time_s("createdBeforeOrAt"))


def heights_of(params: Params) -> tuple[int | None, int | None]:
    """From and up to which block."""
    return ordered(
        "createdOnOrAfterHeight", params.integer("createdOnOrAfterHeight"), params.integer("createdBeforeOrAtHeight")
    )


def choice(params: Params, name: str, among: Sequence[str]) -> str | None:
    """One of some words, in lower case; None when it is not given."""
    value = params.text(name)
    if value is None:
        return None
    if value.lower() not in among:
        raise bad_parameter(name, f"{name} is one of {', '.join(among)}, not {value}")
    return value.lower()


def limit_of(params: Params, most: int) -> int:
    """How many rows at most."""
    limit = params.integer("limit", least=1)
    if limit is not None and limit > most:
        raise bad_parameter("limit", f"limit is at most {most} here, not {limit}: go on with the cursor")
    return MAX_ROWS if limit is None else limit


def _range(params: Params, name: str, decimals: int) -> tuple[int | None, int | None]:
    least = _units(params, f"{name}Min", decimals, ROUND_CEILING)
    most = _units(params, f"{name}Max", decimals, ROUND_FLOOR)
    return ordered(f"{name}Min", least, most)


def _units(params: Params, name: str, decimals: int, rounding: str) -> int | None:
    text = params.text(name)
    if text is None:
        return None
    try:
        value = Decimal(text)
        is_number = value.is_finite() and value >= 0 and abs(value.adjusted()) < 40
        units = int(value.scaleb(decimals).to_integral_value(rounding)) if is_number else -1
    except InvalidOperation:
        units = -1
    if not 0 <= units <= _MAX_UNITS:
        raise bad_parameter(name, f"{name} is a number such as 0.25, not {text!r}")
    return units


def ordered(name: str, least: int | None, most: int | None) -> tuple[int | None, int | None]:
    """Both ends of a range. Raises an `ApiError` for one that nothing can be in."""
    if least is not None and most is not None and least > most:
        raise bad_parameter(name, f"{name} lies after the other end of its range: nothing can be in it")
    return least, most


def _cursor(text: str, order: str, kinds: tuple[type, ...], sort: str) -> Key:
    try:
        return cursor.decode(text, order, kinds if sort == "time" else (int, *kinds))
    except ValueError as error:
        raise ApiError(400, "bad_cursor", str(error), "cursor") from None
