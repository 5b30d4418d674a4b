# SPDX-License-Identifier: AGPL-3.0-only
"""What the core says: the public event log (order, book, fill), and answers that are for the service alone.

Sizes are lots, prices micro-USDC per lot, fees ppm. `seq` numbers the public records without gaps from 1; `encode_json`
gives the wire form (camelCase, `type` tells the record).
"""

import msgspec

from ouro.codec import GROUPED, FillWord, PackedOrder


class OrderState(msgspec.Struct, frozen=True, rename="camel"):
    """An order as people may see it after a change; `id` is the EIP-712 hash in hex.

    `status` is UNTRIGGERED (it waits), OPEN, FILLED or CANCELED; `reason` says why it was cancelled. A FILLED or
    CANCELED order can become OPEN or UNTRIGGERED again when a fill of it is rejected on chain, an OPEN one UNTRIGGERED
    when the index price moves back over its trigger. `withheld` are lots that a DECREMENT took off without a fill;
    `not_before` is in ms, `parent` and `replaces` are order ids. An order that was never live is `private`: nobody but
    its owner is to see it.
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
    reason: str
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


class OrderOutput(msgspec.Struct, frozen=True, rename="camel", tag="order"):
    """An order was accepted, filled, cancelled or restored."""

    seq: int
    time_ms: int
    order: OrderState


class BookOutput(msgspec.Struct, frozen=True, rename="camel", tag="book"):
    """Levels that changed, best first: (price, absolute size), 0 deletes. `book_seq` counts per market from 1."""

    seq: int
    time_ms: int
    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    book_seq: int


class FillOutput(msgspec.Struct, frozen=True, rename="camel", tag="fill"):
    """A fill and where it stands: matched, submitted, confirmed, final or rejected (each can be said again after a
    reorg).
    """

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
    reason: str
    transaction_hash: str


class Ack(msgspec.Struct, frozen=True, rename="camel", tag="ack"):
    """The answer to one command; not part of the public log.

    `http_status` is what the write API answers with; on a refusal `error_code` is stable, `message` is for people and
    `param` names the field. `seq` is the last public record this input gave (or the last before it). `order_status`,
    `filled` and `reason` describe the order right after it was placed; `cancelled` lists ids that a cancel took away;
    `free_slots` helps after `slot_taken`, `next_revision` after `stale_revision`.
    """

    input_seq: int
    ok: bool
    http_status: int
    seq: int
    error_code: str = ""
    message: str = ""
    param: str = ""
    order_id: str = ""
    client_id: str = ""
    order_status: str = ""
    filled: int = 0
    reason: str = ""
    cancelled: tuple[str, ...] = ()
    free_slots: tuple[int, ...] = ()
    next_revision: int = 0


class WantSettlement(msgspec.Struct, frozen=True, rename="camel", tag="want_settlement"):
    """There are fills to settle (`waiting` of them): ask `Core.next_batch()` when the last batch is out of the way."""

    waiting: int


class NextBatch(msgspec.Struct, frozen=True):
    """What `settle` should carry next: at most 32 fills of at most 64 orders, one-shot orders whole.

    Ready for `ouro.codec`: `encode_settle(prev, next, batch.orders, map(pack_fill, batch.fills))`. `oldest_ms` is when
    the oldest of the fills was matched.
    """

    orders: tuple[PackedOrder, ...]
    fills: tuple[FillWord, ...]
    oldest_ms: int

    @property
    def fill_ids(self) -> tuple[int, ...]:
        """For `BatchBuilt`."""
        return tuple(fill.fill_id for fill in self.fills)

    @property
    def largest_group(self) -> int:
        """How many fills the largest group has; 1 when none are joined."""
        largest = count = 1
        for fill in self.fills:
            count = count + 1 if fill.flags & GROUPED else 1
            largest = max(largest, count)
        return largest


PublicRecord = OrderOutput | BookOutput | FillOutput
Output = PublicRecord | Ack | WantSettlement

_json = msgspec.json.Encoder()


def encode_json(record: Output) -> bytes:
    """One record as a line of JSON without the newline."""
    return _json.encode(record)


def is_public(output: Output) -> bool:
    """True for what belongs into the event log."""
    return not isinstance(output, Ack | WantSettlement)
