# SPDX-License-Identifier: Apache-2.0
"""Contract events that no other read lists: roles, rules and notices, keys, price sources, shares of the backstop."""

from __future__ import annotations

from collections.abc import Sequence

from ouro.client.calls import Call, Flow, one, query
from ouro.client.models import ContractEvent, Record
from ouro.client.session import Session

_PAGE = 1_000


class _Events(Record, frozen=True):
    events: list[ContractEvent]
    cursor: str | None = None


def events(
    _session: Session,
    name: str | Sequence[str] | None = None,
    *,
    contract: str | Sequence[str] | None = None,
    account: str | None = None,
    transaction: str | None = None,
    since_height: int | None = None,
    until_height: int | None = None,
    limit: int = 100,
) -> Flow[list[ContractEvent]]:
    """The newest events of these names (`OperatorSet`, ...), of a contract (an address, or `exchange`, `vault`, ...),
    that name an account, of a transaction, between two blocks (inclusive). More than 1,000 take several requests.
    """
    wanted = {
        "name": name,
        "contract": contract,
        "account": account,
        "transaction": transaction,
        "createdOnOrAfterHeight": since_height,
        "createdBeforeOrAtHeight": until_height,
    }
    found: list[ContractEvent] = []
    cursor: str | None = None
    while len(found) < limit:
        parameters = query({**wanted, "limit": min(_PAGE, limit - len(found)), "cursor": cursor})
        page = yield from one(Call("GET", "/v4/query/events", _Events, parameters))
        found += page.events
        cursor = page.cursor
        if cursor is None:
            break
    return found
