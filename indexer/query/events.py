# SPDX-License-Identifier: AGPL-3.0-only
"""Contract events by query: those that have no list of their own. Every filter has an index under it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from indexer.api.errors import ApiError, bad_parameter
from indexer.api.params import Params, owner_address
from indexer.query import cursor
from indexer.query.cursor import Key
from indexer.query.pages import Result, heights_between, page, within
from indexer.query.request import (
    FORMATS,
    MAX_EXPORTED,
    MAX_ROWS,
    ORDERS,
    check_known,
    choice,
    heights_of,
    limit_of,
    times_of,
)
from indexer.reads.catalog import Catalog
from indexer.reads.text import iso
from indexer.store.schema import contract_events, event_accounts
from indexer.views.notes import NOTED

NAMES = tuple(sorted(kind.__name__ for kind in NOTED))
PARAMETERS = {
    "contract": "an address, or a name of /v4/config such as exchange, vault, oracle, timelock; a list",
    "name": "event names such as OperatorSet, in any case; a list",
    "account": "an address that the event's arguments hold",
    "transaction": "a transaction's hash",
    "createdOnOrAfter": "inclusive, ISO-8601",
    "createdBeforeOrAt": "inclusive, ISO-8601",
    "createdOnOrAfterHeight": "inclusive, block number",
    "createdBeforeOrAtHeight": "inclusive, block number",
    "order": "desc (default), asc",
    "limit": "up to 1,000 rows, of files 50,000",
    "cursor": "goes on after the page that it came with",
    "format": "json (default), csv, parquet",
    "atSeq": "waits until that record of the relayer's log is applied",
}
"""What the query takes, and what that means."""

_BY_LOWER = {name.lower(): name for name in NAMES}
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_MAX_NAMED = 100


@dataclass(frozen=True)
class EventQuery:
    """Inclusive ends; addresses checksummed, times in seconds since 1970."""

    contracts: Sequence[str]
    names: Sequence[str]
    account: str | None
    transaction: str | None
    times_s: tuple[int | None, int | None]
    heights: tuple[int | None, int | None]
    is_descending: bool
    after: Key | None
    limit: int
    format: str

    @property
    def order(self) -> str:
        """Names the order of rows, for cursors."""
        return order_name(self.is_descending)


def order_name(is_descending: bool) -> str:
    return f"events {'desc' if is_descending else 'asc'}"


def parse(params: Params, contracts: Mapping[str, str]) -> EventQuery:
    """Read a query; `contracts` are addresses by name. Raises an `ApiError` that names the parameter."""
    check_known(params, PARAMETERS)
    is_descending = (choice(params, "order", ORDERS) or "desc") == "desc"
    format_ = choice(params, "format", FORMATS) or "json"
    text, transaction = params.text("cursor"), params.text("transaction")
    if transaction is not None and not _HASH.fullmatch(transaction):
        raise bad_parameter("transaction", f"transaction is 0x and 64 hex digits, not {transaction[:80]!r}")
    try:
        after = None if text is None else cursor.decode(text, order_name(is_descending), (int, int))
    except ValueError as error:
        raise ApiError(400, "bad_cursor", str(error), "cursor") from None
    return EventQuery(
        contracts=_contracts(params, contracts),
        names=_names(params),
        account=params.address("account") if params.text("account") else None,
        transaction=transaction.lower() if transaction else None,
        times_s=times_of(params),
        heights=heights_of(params),
        is_descending=is_descending,
        after=after,
        limit=limit_of(params, MAX_ROWS if format_ == "json" else MAX_EXPORTED),
        format=format_,
    )


def find(connection: Connection, catalog: Catalog, query: EventQuery, contracts: Mapping[str, str]) -> Result:
    """One page of rows, in the order of the chain or against it."""
    statement = select(contract_events)
    # Rows come in the order of the table that narrows them down most.
    first = contract_events if query.account is None else event_accounts
    if query.account is not None:
        same = [first.c[name] == contract_events.c[name] for name in ("block_number", "log_index")]
        statement = statement.join(first, and_(*same)).where(first.c.account == query.account)
    for column, wanted in ((contract_events.c.address, query.contracts), (contract_events.c.name, query.names)):
        # An account has few events, a name may have very many: spelt so that the account's index is the one to walk.
        told = column if query.account is None else column.concat("")
        if wanted:
            statement = statement.where(told == wanted[0] if len(wanted) == 1 else told.in_(wanted))
    if query.transaction is not None:
        statement = statement.where(contract_events.c.transaction_hash == query.transaction)
    heights = (
        (first.c.block_number, query.heights),
        (first.c.block_number, heights_between(connection, query.times_s)),
    )
    statement = within(statement, heights)
    order = [first.c.block_number, first.c.log_index]
    names = {address: name for name, address in contracts.items()}
    return page(connection, statement, order, query, lambda row: _event(row, catalog, names))


def _event(row: Mapping[str, Any], catalog: Catalog, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": f"{row['block_number']}-{row['log_index']}",
        "contract": names.get(row["address"]),
        "address": row["address"],
        "name": row["name"],
        "arguments": json.loads(row["arguments"]),
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }


def _names(params: Params) -> list[str]:
    found = []
    for text in params.texts("name"):
        name = _BY_LOWER.get(text.lower())
        if name is None:
            raise bad_parameter("name", f"no event here is called {text[:40]}; there are {', '.join(NAMES)}")
        found.append(name)
    return sorted(set(found))


def _contracts(params: Params, known: Mapping[str, str]) -> list[str]:
    by_lower = {name.lower(): address for name, address in known.items()}
    texts = params.texts("contract")
    if len(texts) > _MAX_NAMED:
        raise bad_parameter("contract", f"at most {_MAX_NAMED} contracts may be named")
    found = set()
    for text in texts:
        address = by_lower.get(text.lower())
        if address is None and not text.startswith("0X"):
            raise bad_parameter(
                "contract", f"contract is an address or one of {', '.join(sorted(known))}, not {text[:40]}"
            )
        found.add(address or owner_address("0x" + text[2:].lower(), "contract"))
    return sorted(found)
