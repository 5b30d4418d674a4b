# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: what is subscribed to, by channel and id."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.api.errors import ApiError
from indexer.api.params import owner_address

Key = tuple[str, str]
"""Channel and id; the id is empty for channels without one."""

VERSIONS: Mapping[str, str] = {
    "v4_markets": "1.0.0",
    "v4_orderbook": "1.0.0",
    "v4_trades": "2.1.0",
    "v4_candles": "1.0.0",
    "v4_subaccounts": "3.0.0",
    "v4_parent_subaccounts": "3.0.0",
    "v4_block_height": "1.0.0",
}

SUBACCOUNTS, PARENTS = OF_ACCOUNTS = ("v4_subaccounts", "v4_parent_subaccounts")
FROM_OUTBOX = ("v4_markets", "v4_trades", "v4_candles", *OF_ACCOUNTS)


def account_of(id_: str) -> tuple[str, int]:
    """Owner and subaccount of an id `address/number`. Raises `ApiError`."""
    address, _, number = id_.partition("/")
    if not (number.isascii() and number.isdecimal() and len(number) <= 5):
        raise ApiError(400, "bad_parameter", f"id is address/subaccount number, not {id_!r}", "id")
    return owner_address(address), int(number)


def account_of_key(key: Key) -> tuple[str, str, int] | None:
    """Channel, owner and number of an account channel's key, whatever the case it was written in."""
    if key[0] not in OF_ACCOUNTS:
        return None
    try:
        return (key[0], *account_of(key[1]))
    except ApiError:
        return None
