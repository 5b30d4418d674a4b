# SPDX-License-Identifier: AGPL-3.0-only
"""Query parameters as real clients send them: either spelling, lists by comma or repetition, lenient times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from eth_utils.address import is_address, to_checksum_address
from starlette.datastructures import QueryParams

from indexer.api.errors import bad_parameter, unknown_market
from indexer.reads.catalog import Catalog, Listing
from indexer.reads.window import MAX_LIMIT, Window

_MAX_INTEGER = 2**63 - 1
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
MAX_PARENT = 128
"""Subaccounts from here on are children of `number % 128`, where clients ask for parents."""


class Params:
    """The query of one request."""

    def __init__(self, query: QueryParams) -> None:
        self._query = query

    def names(self) -> list[str]:
        """What was given, by name."""
        return list(self._query)

    def text(self, *names: str) -> str | None:
        """The first of the names that is given and not empty."""
        for name in names:
            value = self._query.get(name)
            if value:
                return value.strip()
        return None

    def integer(self, *names: str, least: int = 0) -> int | None:
        value = self.text(*names)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            raise bad_parameter(names[0], f"{names[0]} is a whole number, not {value!r}") from None
        if not least <= number <= _MAX_INTEGER:
            raise bad_parameter(names[0], f"{names[0]} must be at least {least}, not {number}")
        return number

    def texts(self, *names: str, among: Sequence[str] = ()) -> list[str]:
        """A list given by commas, by repetition or both, in upper case."""
        given = [part for name in names for value in self._query.getlist(name) for part in value.split(",")]
        values = [part.strip().upper() for part in given if part.strip()]
        for value in values:
            if among and value not in among:
                raise bad_parameter(names[0], f"{names[0]} is one of {', '.join(among)}, not {value}")
        return values

    def time_s(self, *names: str, up: bool = False) -> int | None:
        """A time in ISO-8601, seconds since 1970. `up` rounds a fraction up instead of down."""
        value = self.text(*names)
        if value is None:
            return None
        # An unescaped "+" of a time zone arrives as a space.
        text = value.replace("Z", "+00:00").replace(" ", "+") if "T" in value else value
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise bad_parameter(
                names[0], f"{names[0]} is a time such as 2026-01-31T12:00:00.000Z, not {value!r}"
            ) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = int(moment.timestamp() // 1)
        return seconds + 1 if up and moment.microsecond else seconds

    def limit(self) -> int:
        limit = self.integer("limit", least=1)
        return MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)

    def window(self) -> Window:
        """Limit, page, `createdBeforeOrAt[Height]`, `createdOnOrAfter[Height]`."""
        page = self.integer("page", least=1)
        if page is not None and page > 1_000_000:
            raise bad_parameter("page", "page is too far: narrow the window with createdBeforeOrAt instead")
        return Window(
            limit=self.limit(),
            page=page,
            until_s=self.time_s("createdBeforeOrAt", "effectiveBeforeOrAt"),
            until_height=self.integer("createdBeforeOrAtHeight", "effectiveBeforeOrAtHeight"),
            since_s=self.time_s("createdOnOrAfter", "effectiveAtOrAfter", up=True),
            since_height=self.integer("createdOnOrAfterHeight"),
        )

    def owner(self) -> str:
        return self.address("address")

    def address(self, name: str) -> str:
        """A checksummed address that must be given."""
        value = self.text(name)
        if value is None:
            raise bad_parameter(name, f"say whose: {name}=0x...")
        return owner_address(value, name)

    def flag(self, name: str) -> bool:
        """`true`, `True` or 1; false when absent."""
        value = (self.text(name) or "false").lower()
        if value not in _FLAGS:
            raise bad_parameter(name, f"{name} is true or false, not {value}")
        return _FLAGS[value]

    def subaccount(self, *names: str) -> int:
        names = names or ("subaccountNumber",)
        number = self.integer(*names)
        return 0 if number is None else number

    def listings(self, catalog: Catalog) -> list[Listing]:
        """The markets named by `market` or `ticker`; empty when none is."""
        found: list[Listing] = []
        for ticker in self.texts("market", "ticker"):
            if ticker not in catalog.by_ticker:
                raise unknown_market(ticker, list(catalog.by_ticker))
            found.append(catalog.by_ticker[ticker])
        return found


def owner_address(value: str, name: str = "address") -> str:
    """A checksummed address, whatever case it came in."""
    if not is_address(value):
        raise bad_parameter(name, f"{name} is 0x and 40 hex digits, not {value!r}")
    return to_checksum_address(value)


def children_of(parent: int) -> list[int]:
    """The subaccounts that belong to a parent: itself, and those 128 apart."""
    return list(range(parent, 65_536, MAX_PARENT))
