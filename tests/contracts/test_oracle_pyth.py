# SPDX-License-Identifier: AGPL-3.0-only
"""PythAdapter on a contract that behaves as Pyth's does."""

from fractions import Fraction

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tests.support.abi import RevertError
from tests.support.chain import deploy
from tests.support.evm import Evm
from tests.support.oracles import BTC_ID, CONFIDENCE, ETH_ID, NOBODY, PYTH_FEE, Sources, per_lot
from tests.support.wire import wallet

OWNER, GUARDIAN = wallet("governance").address, wallet("guardian").address


def error(text: str) -> str:
    return "0x" + keccak(text=text)[:4].hex()


@pytest.fixture
def sources() -> Sources:
    return Sources(Evm(), OWNER, GUARDIAN)


def test_a_price_in_micro_usdc_per_lot(sources: Sources) -> None:
    sources.pyth.answer(BTC_ID, "23000.12345678")
    assert sources.pyth_adapter.call.read(BTC_ID, 4) == (2_300_012, sources.chain.now)
    assert sources.pyth_adapter.call.read(BTC_ID, 0) == (23_000_123_457, sources.chain.now)


def test_a_price_that_nobody_pushed_reverts_as_pyth_does(sources: Sources) -> None:
    with pytest.raises(RevertError) as caught:
        sources.pyth_adapter.call.read(BTC_ID, 4)
    assert caught.value.reason == error("PriceFeedNotFound()")


def test_a_price_of_whatever_age_is_read_with_its_time(sources: Sources) -> None:
    """How old is too old is the router's to say, source by source."""
    sources.pyth.answer(BTC_ID, 23_000)
    at = sources.chain.now
    sources.chain.warp(10**6)
    assert sources.pyth_adapter.call.read(BTC_ID, 4) == (2_300_000, at)
    with pytest.raises(RevertError) as caught:
        sources.pyth.contract.call.getPriceNoOlderThan(BTC_ID, 60)
    assert caught.value.reason == error("StalePrice()")


_SCENE = Sources(Evm(), OWNER, GUARDIAN)


@given(
    price=st.integers(1, 2**63 - 1) | st.integers(1, 10**6),
    expo=st.integers(-40, 20) | st.integers(-12, 0) | st.sampled_from([-(2**31), 2**31 - 1]),
    size_decimals=st.integers(0, 6),
)
def test_the_price_is_the_exact_one_to_the_nearest(price: int, expo: int, size_decimals: int) -> None:
    _SCENE.chain.warp(1)
    blob = _SCENE.pyth.blob(_SCENE.pyth.price(ETH_ID, price, _SCENE.chain.now, expo=expo))
    _SCENE.pyth.push(blob)
    found, _ = _SCENE.pyth_adapter.call.read(ETH_ID, size_decimals)
    exact = per_lot(price * Fraction(10) ** expo, size_decimals) if abs(expo) < 100 else 0
    assert found == (exact if exact <= 2**40 else 0)


@pytest.mark.parametrize("price", [0, -1, -(2**63)])
def test_no_price_at_or_below_zero(sources: Sources, price: int) -> None:
    sources.pyth.push(sources.pyth.blob(sources.pyth.price(BTC_ID, price, sources.chain.now)))
    assert sources.pyth_adapter.call.read(BTC_ID, 4) == (0, 0)


def test_the_least_price_is_one(sources: Sources) -> None:
    price = sources.pyth.price(BTC_ID, 1, sources.chain.now, conf=0, expo=0)
    sources.pyth.push(sources.pyth.blob(price))
    assert sources.pyth_adapter.call.read(BTC_ID, 4)[0] == 100


def test_a_confidence_interval_at_the_limit_counts_and_beyond_does_not(sources: Sources) -> None:
    price = 23_000 * 10**8
    half = price * CONFIDENCE // 10**6
    for conf, expected in ((0, 2_300_000), (half, 2_300_000), (half + 1, 0), (2**64 - 1, 0)):
        sources.chain.warp(1)
        sources.pyth.push(sources.pyth.blob(sources.pyth.price(BTC_ID, price, sources.chain.now, conf=conf)))
        assert sources.pyth_adapter.call.read(BTC_ID, 4)[0] == expected


def test_an_update_through_the_adapter_costs_the_fee_and_returns_the_rest(sources: Sources) -> None:
    pyth, adapter, now = sources.pyth, sources.pyth_adapter, sources.chain.now
    blobs = [pyth.blob(pyth.price(BTC_ID, 23_000 * 10**8, now), pyth.price(ETH_ID, 1_600 * 10**8, now))]
    fee = adapter.call.update_fee(blobs)
    assert fee == 2 * PYTH_FEE
    sources.chain.fund(pyth.payer.address)
    before = pyth.payer.call.funds()
    pyth.pay(adapter, adapter.data("update", blobs), fee + 1_000)
    assert before - pyth.payer.call.funds() == fee
    assert adapter.call.read(ETH_ID, 3)[0] == 1_600_000
    sources.chain.warp(1)
    blobs = [pyth.blob(pyth.price(BTC_ID, 24_000 * 10**8, sources.chain.now))]
    pyth.pay(adapter, adapter.data("update", blobs), PYTH_FEE)
    assert adapter.call.read(BTC_ID, 4)[0] == 2_400_000


def test_several_blobs_of_one_update_all_count(sources: Sources) -> None:
    pyth, now = sources.pyth, sources.chain.now
    blobs = [pyth.blob(pyth.price(id_, price * 10**8, now)) for id_, price in ((BTC_ID, 23_000), (ETH_ID, 1_600))]
    pyth.pay(sources.pyth_adapter, sources.pyth_adapter.data("update", blobs), 2 * PYTH_FEE)
    assert sources.pyth_adapter.call.read(BTC_ID, 4)[0] == 2_300_000
    assert sources.pyth_adapter.call.read(ETH_ID, 3)[0] == 1_600_000


def test_an_unpaid_update_reverts(sources: Sources) -> None:
    pyth, adapter = sources.pyth, sources.pyth_adapter
    blobs = [pyth.blob(pyth.price(BTC_ID, 23_000 * 10**8, sources.chain.now))]
    with pytest.raises(RevertError, match="fee not paid"):
        pyth.pay(adapter, adapter.data("update", blobs), PYTH_FEE - 1)
    with pytest.raises(RevertError) as caught:
        pyth.pay(pyth.contract, pyth.contract.data("updatePriceFeeds", blobs), PYTH_FEE - 1)
    assert caught.value.reason == error("InsufficientFee()")


def test_an_update_that_pyth_did_not_sign_reverts(sources: Sources) -> None:
    pyth, adapter = sources.pyth, sources.pyth_adapter
    forged = pyth.blob(pyth.price(BTC_ID, 1, sources.chain.now), key=wallet("forger"))
    with pytest.raises(RevertError) as caught:
        pyth.pay(adapter, adapter.data("update", [forged]), 10)
    assert caught.value.reason == error("InvalidWormholeVaa()")


@pytest.mark.parametrize("limit", [0, 99, 50_001, 2**256 - 1])
def test_the_confidence_limit_has_bounds(limit: int) -> None:
    with pytest.raises(RevertError, match="confidence not in"):
        deploy(_SCENE.chain, OWNER, "PythAdapter", _SCENE.pyth.contract.address, limit)


def test_an_adapter_stands_on_a_contract_and_says_which(sources: Sources) -> None:
    for limit in (100, 50_000):
        deploy(_SCENE.chain, OWNER, "PythAdapter", _SCENE.pyth.contract.address, limit)
    with pytest.raises(RevertError, match="pyth has no code"):
        deploy(_SCENE.chain, OWNER, "PythAdapter", NOBODY, 5_000)
    assert sources.pyth_adapter.call.pyth() == sources.pyth.contract.address
    assert sources.pyth_adapter.call.MAX_CONFIDENCE() == CONFIDENCE
