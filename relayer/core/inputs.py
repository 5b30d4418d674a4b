# SPDX-License-Identifier: AGPL-3.0-only
"""What the core consumes: the only things that are journaled.

Every input is a frozen, tagged, array-like msgspec struct, so its msgpack form is compact and canonical. Addresses are
checksummed strings, hashes and words are bytes, money and sizes are integers in the units of `docs/protocol.md`.
Signatures have been verified before an input is made: `signer` is the address that was recovered. The core does not
look at them; they are there for whoever audits the journal. Time enters by `Tick` alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

ZERO_HASH = bytes(32)


class Tick(msgspec.Struct, frozen=True, array_like=True, tag="tick"):
    """The clock: milliseconds since 1970. Never goes back; an earlier time than the last is ignored.

    `ahead_ms` of it are there since the chain's clock was ahead of the relayer's. The age of signatures is told by what
    is left, as those who sign do not know the chain's clock.
    """

    now_ms: int
    ahead_ms: int = 0


class Place(msgspec.Struct, frozen=True, array_like=True, tag="place"):
    """A signed order in its packed form (`ouro.codec.pack_order`), each word 32 bytes big-endian.

    `order_id` is the EIP-712 digest that `signer` signed. `client_id` may be empty; else it is unique per subaccount.

    What follows is not signed: it binds an honest operator only. `replaces` is the id of the order that this one amends
    (empty: a new order), `expected_filled` the lots that it must have filled by then (-1: any). With `immediate` what
    does not match at once, when the order becomes live, is cancelled. It becomes live at `not_before_ms`, after
    `parent` (an order id) has ended with something filled, and when the index price has reached `arm_price` (an amend
    in waiting); of orders with one `oco` name in a subaccount one cancels the others.
    """

    terms: bytes
    amounts: bytes
    r: bytes
    vs: bytes
    order_id: bytes
    signer: str
    client_id: str = ""
    replaces: bytes = b""
    expected_filled: int = -1
    immediate: bool = False
    not_before_ms: int = 0
    parent: bytes = b""
    oco: str = ""
    arm_price: int = 0


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag="cancel"):
    """CancelOrder: by the order's signer or the owner of its account; `nonce` strictly increases per signer.

    `signature` has 65 bytes (r, s, v), as in all cancels.
    """

    account: str
    subaccount: int
    order_id: bytes
    signer: str
    nonce: int
    signature: bytes = b""


class CancelByClientId(msgspec.Struct, frozen=True, array_like=True, tag="cancel_by_client_id"):
    """CancelByClientId: the order that has this client id in its subaccount, as `Cancel`."""

    account: str
    subaccount: int
    client_id: str
    signer: str
    nonce: int
    signature: bytes = b""


class CancelAll(msgspec.Struct, frozen=True, array_like=True, tag="cancel_all"):
    """CancelAll: every open order of a subaccount, in one market or (empty ticker) in all. Signed by the owner, or by a
    session key: then those that this key signed.
    """

    account: str
    subaccount: int
    market: str
    signer: str
    nonce: int
    signature: bytes = b""


class CancelAllAfter(msgspec.Struct, frozen=True, array_like=True, tag="cancel_all_after"):
    """CancelAllAfter: cancels every open order of a subaccount `timeout_s` from now unless renewed; 0 disarms.

    Signed as CancelAll is; the owner and every session key have a switch each.
    """

    account: str
    subaccount: int
    timeout_s: int
    signer: str
    nonce: int
    signature: bytes = b""


AnyCancel = Cancel | CancelByClientId | CancelAll | CancelAllAfter


class ReserveWithdrawal(msgspec.Struct, frozen=True, array_like=True, tag="reserve_withdrawal"):
    """An instant withdrawal to be co-signed: `amount` (micro-USDC) leaves free collateral until it lands or lapses.

    `signature` is the owner's under the message `Withdrawal`, 65 bytes as in cancels.
    """

    account: str
    subaccount: int
    amount: int
    to: str
    nonce: int
    deadline: int
    signer: str
    signature: bytes = b""


class Log(msgspec.Struct, frozen=True, array_like=True):
    """One raw event log, as much as is needed to decode it again."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    transaction_hash: bytes
    log_index: int

    @classmethod
    def from_rpc(cls, log: Mapping[str, Any]) -> "Log":
        """Takes a log as `eth_getLogs` answers it (hex strings)."""
        return cls(
            address=str(log["address"]),
            topics=tuple(_bytes(topic) for topic in log["topics"]),
            data=_bytes(log["data"]),
            transaction_hash=_bytes(log["transactionHash"]),
            log_index=_int(log["logIndex"]),
        )

    def to_rpc(self, number: int, block_hash: bytes, time_s: int) -> dict[str, Any]:
        """The JSON-RPC form again, with the block it is in."""
        return {
            "address": self.address,
            "topics": ["0x" + topic.hex() for topic in self.topics],
            "data": "0x" + self.data.hex(),
            "blockNumber": hex(number),
            "blockHash": "0x" + block_hash.hex(),
            "blockTimestamp": hex(time_s),
            "transactionHash": "0x" + self.transaction_hash.hex(),
            "logIndex": hex(self.log_index),
        }


class ChainBlock(msgspec.Struct, frozen=True, array_like=True, tag="chain_block"):
    """The next block of the chain with the logs of our contracts in it, in log order.

    Its parent must be the last block given, except for the first one. `final_number` is the highest block known to be
    final when this one was seen (0: unknown). `prices` are what an oracle that tells none by events answers at this
    block: market, price, second of publication.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    time_s: int
    logs: tuple[Log, ...] = ()
    final_number: int = 0
    prices: tuple[tuple[int, int, int], ...] = ()


class ChainRevert(msgspec.Struct, frozen=True, array_like=True, tag="chain_revert"):
    """A reorg: the blocks above `to_number` are gone; `to_hash` is the hash of the block that stays the head."""

    to_number: int
    to_hash: bytes


class BatchBuilt(msgspec.Struct, frozen=True, array_like=True, tag="batch_built"):
    """A batch was signed and is about to be broadcast: `fill_ids` are the ids of `Core.next_batch()`.

    `nonce` is the operator's transaction nonce, `prev` and `next` the journal heads in the calldata. A fee bump is a
    second `BatchBuilt` with the same `batch_no`, nonce, heads and fills and another `raw_tx`.
    """

    batch_no: int
    nonce: int
    fill_ids: tuple[int, ...]
    prev: bytes
    next: bytes
    raw_tx: bytes


class BatchFate(msgspec.Struct, frozen=True, array_like=True, tag="batch_fate"):
    """What became of a batch off the chain's event log: `dropped` puts its fills back into the queue.

    Say it only when the transaction can no longer land (its nonce or its `prev` head is used up, or it reverted).
    """

    batch_no: int
    fate: str


class UndoFills(msgspec.Struct, frozen=True, array_like=True, tag="undo_fills"):
    """Fills that no batch can carry: settlement reverts with them alone. Those of a one-shot order are named together.

    Say it only of fills that wait in the queue, after a batch of nothing else was undone by the chain.
    """

    fill_ids: tuple[int, ...]
    reason: str


class SettlementCapacity(msgspec.Struct, frozen=True, array_like=True, tag="settlement_capacity"):
    """From now on at most so many fills may wait for the chain before nothing new may open risk: what settlement was
    measured to carry in half a settle window.
    """

    max_unsettled_fills: int


Input = (
    Tick
    | Place
    | Cancel
    | CancelByClientId
    | CancelAll
    | CancelAllAfter
    | ReserveWithdrawal
    | ChainBlock
    | ChainRevert
    | BatchBuilt
    | BatchFate
    | UndoFills
    | SettlementCapacity
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Input] = msgspec.msgpack.Decoder(Input)


def encode(item: Input) -> bytes:
    """The journal's form of an input."""
    return _encoder.encode(item)


def decode(data: bytes) -> Input:
    """The input again; raises `msgspec.DecodeError` when it is not one."""
    return _decoder.decode(data)


def logs_from_rpc(logs: Iterable[Mapping[str, Any]]) -> tuple[Log, ...]:
    """The logs of one block in log order."""
    return tuple(sorted((Log.from_rpc(log) for log in logs), key=lambda log: log.log_index))


def _bytes(value: str | bytes) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)


def _int(value: str | int) -> int:
    return int(value, 16) if isinstance(value, str) else value
