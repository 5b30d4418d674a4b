# SPDX-License-Identifier: AGPL-3.0-only
"""Logs decode to what the contracts' ABIs say, field by field, whatever the form they come in."""

from typing import Any

import pytest
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st
from web3.datastructures import AttributeDict

from ouro import addresses, events
from ouro.codec import FillDetail, PositionWord, unpack_detail, unpack_key_markets, unpack_position, unpack_tier
from ouro.events import LogError, LogPosition
from tests.unit.ouro.logs import BLOCK_HASH, EXCHANGE, TRANSACTION_HASH, abi_events, detail_word, position_word, raw_log

FOLLOWED = sorted(abi_events())
WORDS = {
    ("Fill", "detail"): unpack_detail,
    ("Fill", "taker_position"): unpack_position,
    ("Fill", "maker_position"): unpack_position,
    ("Liquidated", "position"): unpack_position,
    ("Liquidated", "liquidator_position"): unpack_position,
    ("Deleveraged", "position"): unpack_position,
    ("CloseExecuted", "position"): unpack_position,
    ("HandedOver", "position"): unpack_position,
    ("SessionKeyRegistered", "markets"): unpack_key_markets,
    ("SourcesSet", "sources"): lambda words: tuple(events.PriceSource(*word) for word in words),
    ("FeeTiersSet", "tiers"): lambda words: tuple(map(unpack_tier, words)),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uint256": st.integers(0, 2**256 - 1),
    "int256": st.integers(-(2**255), 2**255 - 1),
    "bool": st.booleans(),
    "bytes32": st.binary(min_size=32, max_size=32),
    "address": st.binary(min_size=20, max_size=20).map(addresses.checksum),
    "bytes": st.binary(max_size=300),
    "tuple[]": st.lists(
        st.tuples(
            st.binary(min_size=20, max_size=20).map(addresses.checksum),
            st.binary(min_size=32, max_size=32),
            st.integers(0, 2**256 - 1),
        ),
        max_size=3,
    ),
    "uint256[]": st.lists(st.integers(0, 2**256 - 1), max_size=8),
    "string": st.text(st.characters(codec="utf-8"), max_size=100),
}
TAKER, MAKER = "0x" + "aA" * 20, "0x" + "bB" * 20


def _same(value: Any) -> Any:
    return value


def by_web3(log: dict[str, Any]) -> AttributeDict[str, Any]:
    """The log in the form that web3 gives."""
    return AttributeDict(
        {
            "address": EXCHANGE,
            "topics": [HexBytes(topic) for topic in log["topics"]],
            "data": HexBytes(log["data"]),
            "blockNumber": int(log["blockNumber"], 16),
            "blockHash": HexBytes(log["blockHash"]),
            "transactionHash": HexBytes(log["transactionHash"]),
            "logIndex": int(log["logIndex"], 16),
        }
    )


def test_every_event_of_the_contracts_is_known() -> None:
    assert {type_.__name__ for type_ in events.Event.__subclasses__()} == set(FOLLOWED)
    assert len(events.topics()) == len(set(events.topics())) == len(FOLLOWED)


@pytest.mark.parametrize("name", FOLLOWED)
@given(data=st.data())
def test_fields_are_those_of_the_abi(name: str, data: st.DataObject) -> None:
    values = {field["name"]: data.draw(VALUES[field["type"]]) for field in abi_events()[name]["inputs"]}
    log = raw_log(name, log_index=300, **values)
    event = events.decode_log(log)
    assert type(event).__name__ == name
    assert event is not None
    for field, value in values.items():
        expected = WORDS.get((name, field), _same)(value)
        assert getattr(event, field) == expected, field
    assert event.__struct_fields__ == ("where", *values)
    assert event.where == LogPosition(16, BLOCK_HASH, TRANSACTION_HASH, 300, EXCHANGE)
    assert events.decode_log(by_web3(log)) == event


def test_a_fill() -> None:
    detail = FillDetail(77, 9_500_000, 10, 1, 0, 3, 350, -100, True)
    taker, maker = PositionWord(-10, 5 << 32, 1_764_547_200_000), PositionWord(0, -7, 0)
    log = raw_log(
        "Fill",
        taker=TAKER,
        maker=MAKER,
        detail=detail_word(detail),
        taker_order=b"t" * 32,
        maker_order=b"m" * 32,
        taker_position=position_word(taker),
        maker_position=position_word(maker),
    )
    fill = events.decode_log(log)
    assert isinstance(fill, events.Fill)
    assert (fill.detail, fill.taker_position, fill.maker_position) == (detail, taker, maker)
    assert (fill.taker, fill.taker_order) == (addresses.parse(TAKER.lower()), b"t" * 32)


def test_the_time_of_the_block_is_kept_when_the_node_tells() -> None:
    log = raw_log("GuardianSet", guardian=TAKER) | {"blockTimestamp": hex(1_764_547_200)}
    event = events.decode_log(log)
    assert event is not None
    assert event.where.block_time == 1_764_547_200


@pytest.mark.parametrize("topics", [[], ["0x" + "00" * 32]])
def test_other_logs_are_none_of_ours(topics: list[str]) -> None:
    assert events.decode_log(raw_log("GuardianSet", guardian=TAKER) | {"topics": topics}) is None


def test_a_cut_log_is_noticed() -> None:
    log = raw_log("Credited", account=TAKER, subaccount=0, amount=1, cash=1)
    with pytest.raises(LogError, match="Credited but another shape"):
        events.decode_log(log | {"data": log["data"][:-64]})
    with pytest.raises(LogError, match="Credited but another shape"):
        events.decode_log(log | {"topics": log["topics"][:1]})


def test_a_cut_list_is_noticed() -> None:
    log = raw_log("FeeTiersSet", tiers=[350 << 16, 1 << 32])
    with pytest.raises(LogError, match="beyond its data"):
        events.decode_log(log | {"data": log["data"][:-64]})


def test_a_cut_text_is_noticed() -> None:
    log = raw_log("FillRejected", fill_id=1, order_id=bytes(32), fault_class=3, reason="stale price")
    with pytest.raises(LogError, match="beyond its data"):
        events.decode_log(log | {"data": log["data"][:-64]})
