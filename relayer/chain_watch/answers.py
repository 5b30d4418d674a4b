# SPDX-License-Identifier: AGPL-3.0-only
"""What a node answers, checked before anybody believes it: types, bounds, hashes, and that logs fit their block.

Readers raise `NonsenseError` with what was wrong. They take the decoded JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ouro import addresses, bloom, events
from ouro.eip712 import keccak
from ouro.node_answers import MOST_WEI, NonsenseError, brief, hex_bytes, items, mapping, quantity
from relayer.chain_watch.trie import Item, number, rlp, root_of
from relayer.core.inputs import Log

# In the order of the block header's fields; those of later forks are there or not.
_FIELDS: Final = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)
_QUANTITIES: Final = frozenset(
    (
        "difficulty",
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "baseFeePerGas",
        "blobGasUsed",
        "excessBlobGas",
    )
)
_FIRST_OPTIONAL: Final = _FIELDS.index("baseFeePerGas")
_ROLLUP_DEPOSIT: Final = 0x7E


class Header(msgspec.Struct, frozen=True):
    """A block header as far as it matters; `bloom` has bit i set for position i of the logs' bloom filter, and
    `receipts_root` is over all that the block's transactions did.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    time_s: int
    bloom: int
    receipts_root: bytes

    @property
    def hex_hash(self) -> str:
        """The hash as in JSON."""
        return "0x" + self.hash.hex()


class Receipt(msgspec.Struct, frozen=True):
    """What became of a transaction. Fees in wei per gas."""

    transaction_hash: bytes
    block_hash: bytes
    block_number: int
    succeeded: bool
    gas_used: int
    gas_price_wei: int


class History(msgspec.Struct, frozen=True):
    """`eth_feeHistory`: the next block's base fee, and a tip of each of the last blocks that had transactions."""

    base_fee_wei: int
    tips_wei: tuple[int, ...]


def wei(value: Any) -> int:
    """An amount of wei."""
    return quantity(value, MOST_WEI)


def header(value: Any, *, verify: bool = True) -> Header | None:
    """A block's header, None when the node has no such block. With `verify` its hash is computed anew."""
    if value is None:
        return None
    block = mapping(value)
    found = Header(
        number=quantity(block.get("number")),
        hash=hex_bytes(block.get("hash"), 32),
        parent_hash=hex_bytes(block.get("parentHash"), 32),
        time_s=quantity(block.get("timestamp"), 2**40),
        bloom=int.from_bytes(hex_bytes(block.get("logsBloom"), 256)),
        receipts_root=hex_bytes(block.get("receiptsRoot"), 32),
    )
    if verify and header_hash(block) != found.hash:
        raise NonsenseError(f"the header of block {found.number} does not have the hash that it is given with")
    return found


def header_hash(block: Mapping[str, Any]) -> bytes:
    """The hash of a header by its fields, as every client computes it."""
    fields: list[bytes] = []
    for place, name in enumerate(_FIELDS):
        if name not in block and place >= _FIRST_OPTIONAL:
            break
        if name in _QUANTITIES:
            fields.append(number(quantity(block.get(name), 2**256 - 1)))
        else:
            fields.append(hex_bytes(block.get(name)))
    return keccak(rlp(fields))


def logs(value: Any, block: Header, contracts: frozenset[str]) -> tuple[Log, ...]:
    """The logs of one block, in log order, each of one of `contracts` and in the block's bloom filter, and readable."""
    found: list[Log] = []
    for each in items(value):
        entry = mapping(each)
        if hex_bytes(entry.get("blockHash"), 32) != block.hash:
            raise NonsenseError(f"a log said to be of block {block.number} is of another block")
        log = _log(entry)
        if log.address not in contracts:
            raise NonsenseError(f"a log in block {block.number} is of {log.address}, which was not asked for")
        if _filter_of(log) & ~block.bloom:
            raise NonsenseError(f"a log said to be of block {block.number} is not in its bloom filter")
        try:
            events.decode_log(log.to_rpc(block.number, block.hash, block.time_s))
        except ValueError as error:
            raise NonsenseError(f"a log in block {block.number} cannot be read: {error}") from None
        found.append(log)
    found.sort(key=lambda log: log.log_index)
    if len({log.log_index for log in found}) != len(found):
        raise NonsenseError(f"two logs of block {block.number} have one number")
    return tuple(found)


def logs_of_receipts(value: Any, block: Header, contracts: frozenset[str]) -> tuple[Log, ...]:
    """The logs of `contracts` by all receipts of a block, which together must give its receipts root: none is left
    out, none is added, none is altered.
    """
    encoded, ours = [], []
    for each in items(value):
        entry = mapping(each)
        encoded.append(_encoded_receipt(entry))
        ours += [log for log in map(mapping, items(entry.get("logs"))) if _log(log).address in contracts]
    if root_of(encoded) != block.receipts_root:
        raise NonsenseError(f"the receipts of block {block.number} do not give its receipts root")
    return logs(ours, block, contracts)


def _encoded_receipt(entry: Mapping[str, Any]) -> bytes:
    """A receipt as the trie holds it."""
    kind = quantity(entry.get("type"), 0x7F)
    filled = 0
    packed: list[Item] = []
    for each in items(entry.get("logs")):
        log = _log(mapping(each))
        filled |= _filter_of(log)
        packed.append([_raw_address(log.address), list(log.topics), log.data])
    fields: list[Item] = [
        number(quantity(entry.get("status"))),
        number(quantity(entry.get("cumulativeGasUsed"))),
        filled.to_bytes(256),
        packed,
    ]
    # Deposits from below a rollup carry more.
    if kind == _ROLLUP_DEPOSIT:
        more = (entry.get(name) for name in ("depositNonce", "depositReceiptVersion"))
        fields += [number(quantity(each)) for each in more if each is not None]
    return (bytes((kind,)) if kind else b"") + rlp(fields)


def may_have(block: Header, contracts: Iterable[str]) -> bool:
    """Whether there may be logs of `contracts` in a block, by its bloom filter. A no is certain."""
    return any(bloom.may_hold(block.bloom, contract) for contract in contracts)


def receipt(value: Any) -> Receipt | None:
    """A receipt, None when the transaction is in no block."""
    if value is None:
        return None
    entry = mapping(value)
    status = quantity(entry.get("status"))
    if status > 1:
        raise NonsenseError(f"{status} is no status of a transaction")
    return Receipt(
        transaction_hash=hex_bytes(entry.get("transactionHash"), 32),
        block_hash=hex_bytes(entry.get("blockHash"), 32),
        block_number=quantity(entry.get("blockNumber")),
        succeeded=bool(status),
        gas_used=quantity(entry.get("gasUsed")),
        gas_price_wei=wei(entry.get("effectiveGasPrice", "0x0")),
    )


def history(value: Any) -> History:
    """`eth_feeHistory` with one percentile."""
    entry = mapping(value)
    base = [wei(each) for each in items(entry.get("baseFeePerGas"))]
    if not base:
        raise NonsenseError("the fee history has no base fee")
    tips = [wei(items(each)[0]) for each in items(entry.get("reward") or []) if each]
    return History(base[-1], tuple(tips))


def _log(entry: Mapping[str, Any]) -> Log:
    address = entry.get("address")
    try:
        contract = addresses.parse(address) if isinstance(address, str) else ""
    except ValueError:
        contract = ""
    topics = tuple(hex_bytes(topic, 32) for topic in items(entry.get("topics")))
    if not contract or len(topics) > 4:
        raise NonsenseError(f"{brief(entry)} is no log")
    return Log(
        contract,
        topics,
        hex_bytes(entry.get("data")),
        hex_bytes(entry.get("transactionHash"), 32),
        quantity(entry.get("logIndex")),
    )


def _filter_of(log: Log) -> int:
    filled = bloom.bits(_raw_address(log.address))
    for topic in log.topics:
        filled |= bloom.bits(topic)
    return filled


def _raw_address(text: str) -> bytes:
    return bytes.fromhex(text[2:])
