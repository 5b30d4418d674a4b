# SPDX-License-Identifier: AGPL-3.0-only
"""Raw logs as a node gives them, encoded by eth_abi from the ABIs of the contracts."""

from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic

from ouro import abi
from ouro.codec import FillDetail, PositionWord

CONTRACTS = ("Exchange", "Vault", "PushedOracle", "OracleRouter", "Backstop", "Timelock")
EXCHANGE = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
BLOCK_HASH, TRANSACTION_HASH = "0x" + "b1" * 32, "0x" + "7a" * 32


@cache
def abi_events() -> dict[str, dict[str, Any]]:
    """The ABI of every event by its name."""
    return {entry["name"]: entry for name in CONTRACTS for entry in abi.load(name) if entry["type"] == "event"}


def raw_log(name: str, *, log_index: int = 0, **values: Any) -> dict[str, Any]:
    """The log of an event with these arguments."""
    entry: Any = abi_events()[name]
    indexed = [field for field in entry["inputs"] if field["indexed"]]
    plain = [field for field in entry["inputs"] if not field["indexed"]]
    assert values.keys() == {field["name"] for field in entry["inputs"]}
    data = encode([collapse_if_tuple(field) for field in plain], [values[field["name"]] for field in plain])
    topics = [event_abi_to_log_topic(entry), *(encode([field["type"]], [values[field["name"]]]) for field in indexed)]
    return {
        "address": EXCHANGE.lower(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "blockNumber": "0x10",
        "blockHash": BLOCK_HASH,
        "transactionHash": TRANSACTION_HASH,
        "logIndex": hex(log_index),
    }


def detail_word(detail: FillDetail) -> int:
    return (
        detail.fill_id << 192
        | detail.price << 144
        | detail.size << 96
        | detail.market << 80
        | detail.taker_subaccount << 64
        | detail.maker_subaccount << 48
        | detail.taker_fee_ppm % 2**16 << 32
        | detail.maker_fee_ppm % 2**16 << 16
        | detail.taker_sold
    )


def position_word(position: PositionWord) -> int:
    return (position.size % 2**64) << 192 | (position.q % 2**128) << 64 | position.one_shot_ms << 16
