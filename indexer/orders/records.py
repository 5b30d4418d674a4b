# SPDX-License-Identifier: AGPL-3.0-only
"""The records of the relayer's event log as they arrive: JSON, camelCase, told apart by `type`.

Sizes are lots, prices micro-USDC per lot, fees ppm. `seq` counts all records from 1 without gaps.
"""

import msgspec


class OrderState(msgspec.Struct, frozen=True, rename="camel"):
    """An order after a change; `id` is its EIP-712 hash, as `parent` and `replaces` are.

    `withheld` lots were taken off by a DECREMENT without a fill; `not_before` is in ms. An order that was never live is
    `private`: for its owner alone.
    """

    id: str
    client_id: str
    account: str
    subaccount: int
    market: str
    side: str
    size: int
    limit_price: int
    time_in_force: str
    post_only: bool
    reduce_only: bool
    expiry: int
    generation: int
    slot: int
    revision: int
    signer: str
    filled: int
    status: str
    reason: str = ""
    type: str = "LIMIT"
    self_trade: str = "CANCEL_TAKER"
    trigger: str = "NONE"
    trigger_price: int = 0
    immediate: bool = False
    not_before: int = 0
    parent: str = ""
    oco: str = ""
    arm_price: int = 0
    replaces: str = ""
    referrer: int = 0
    max_fee_ppm: int = 0
    withheld: int = 0
    private: bool = False


class OrderRecord(msgspec.Struct, frozen=True, rename="camel", tag="order"):
    """An order was accepted, filled, cancelled or restored."""

    seq: int
    time_ms: int
    order: OrderState


class BookRecord(msgspec.Struct, frozen=True, rename="camel", tag="book"):
    """Levels that changed: (price, absolute size), 0 deletes. `book_seq` counts per market."""

    seq: int
    time_ms: int
    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    book_seq: int


class FillRecord(msgspec.Struct, frozen=True, rename="camel", tag="fill"):
    """A match and how far it is: matched, submitted, confirmed, final or rejected."""

    seq: int
    time_ms: int
    fill_id: int
    market: str
    price: int
    size: int
    taker_order_id: str
    maker_order_id: str
    taker: str
    taker_subaccount: int
    maker: str
    maker_subaccount: int
    taker_side: str
    taker_fee_ppm: int
    maker_fee_ppm: int
    status: str
    reason: str = ""
    transaction_hash: str = ""


Record = OrderRecord | BookRecord | FillRecord

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def decode_record(line: bytes | str) -> Record:
    """One record. Raises `msgspec.DecodeError` when it is none."""
    return _decoder.decode(line)
