# SPDX-License-Identifier: AGPL-3.0-only
"""The tables equal the contracts' storage to the unit, and after reorgs those of a fresh sync."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.chain.follower import WrongChainError
from indexer.reads.catalog import catalog
from indexer.reads.health import healths
from indexer.service import Options, rebuild
from ouro.codec import unpack_position
from tests.integration.indexer.index import Index, assert_equals_fresh_sync
from tests.integration.indexer.venue import (
    HEDGER,
    IDS,
    KEYS,
    LIQUIDATOR,
    MAKER,
    TAKER,
    TRADERS,
    USDC,
    ChainVenue,
    venue,
)
from tests.support.databases import Databases
from tests.support.world import account_key


@pytest.fixture
def chain() -> Iterator[ChainVenue]:
    with venue() as deployed:
        yield deployed


@pytest.fixture
def index(chain: ChainVenue, database_url: str) -> Iterator[Index]:
    following = Index(chain.rpc.url, chain.record(), database_url)
    yield following
    following.close()


_POSITION = ("owner", "subaccount", "market", "number")


def assert_equals_storage(index: Index, chain: ChainVenue) -> None:
    """Everything the contracts will tell, against what the tables say."""
    call = chain.exchange.call
    with index.engine.begin() as connection:
        known = catalog(connection)
        owners = [*(key.address for key in TRADERS), *([chain.backstop] if chain.backstop else [])]
        accounts = [health for owner in owners for health in healths(connection, known, owner)]
    assert accounts
    tables = index.tables()
    for health in accounts:
        owner, subaccount = health.owner, health.subaccount
        assert health.cash == call.cash(owner, subaccount)
        margin = health.margin
        figures = (margin.equity_scaled, margin.im_scaled, margin.mm_scaled, health.stale)
        assert figures == tuple(call.margin_of(owner, subaccount))
        assert health.withdrawable == call.withdrawable(owner, subaccount)
    for row in tables["position_words"]:
        word = unpack_position(call.position(row["owner"], row["subaccount"], row["market"]))
        assert (row["size"], row["quote_scaled"], row["one_shot_ms"]) == (word.size, word.q, word.one_shot_ms)
    for row in tables["market_states"]:
        market = row["market"]
        stored = (row["g_long"], row["g_short"], row["hour"] * 3_600, row["rate"])
        assert stored == tuple(call.market_indices(market))
        assert row["open_interest"] == call.open_interest(market)
    totals = {row["name"]: row["amount"] for row in tables["totals"]}
    assert totals.get("insurance", 0) == call.insurance()
    assert totals.get("fees", 0) == call.fees()
    for row in tables["referrers"]:
        assert (row["owner"], row["subaccount"], row["balance"]) == tuple(call.referrer(row["number"]))
    assert totals.get("referrals", 0) == sum(row["balance"] for row in tables["referrers"])
    for row in tables["session_keys"]:
        expiry, revoked_at, _, _ = call.session_key(row["owner"], row["key"])
        assert (row["expiry"], row["revoked_at"] or 0) == (expiry, revoked_at)


def test_tables_equal_storage_after_a_random_history(chain: ChainVenue, index: Index, databases: Databases) -> None:
    dice = random.Random(11)
    for step in range(60):
        chain.act(dice)
        if step % 6 == 0:
            index.sync()
            assert_equals_storage(index, chain)
    index.sync()
    assert_equals_storage(index, chain)
    tables = index.tables()
    assert tables["funding_payments"]
    assert tables["pnl_ticks"]
    for position in tables["positions"]:
        key = tuple(position[name] for name in _POSITION)
        paid = [row for row in tables["funding_payments"] if tuple(row[name] for name in _POSITION) == key]
        assert sum(row["amount"] for row in paid) == position["net_funding"]
    kinds = {row["type"] for row in tables["transfers"]}
    assert {"DEPOSIT", "WITHDRAWAL"} <= kinds
    assert_equals_fresh_sync(index, chain, databases)


def test_a_liquidation_is_on_both_sides_and_on_the_tape(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 860_000)
    for percent in (97, 94, 93, 92, 91, 90):
        chain.push({1: 2_300_000 * percent // 100})
        equity, _, required, _ = chain.exchange.call.margin_of(TAKER.address, 0)
        if equity < required:
            break
    chain.liquidate(TAKER)
    index.sync()
    assert_equals_storage(index, chain)
    tables = index.tables()
    [taken] = tables["liquidations"]
    assert (taken["owner"], taken["liquidator"]) == (TAKER.address, LIQUIDATOR.address)
    kinds = {row["type"]: row for row in tables["fills"] if row["type"] != "LIMIT"}
    assert set(kinds) == {"LIQUIDATED", "LIQUIDATION"}
    assert kinds["LIQUIDATED"]["size_before"] - taken["size"] == kinds["LIQUIDATED"]["size_after"]
    assert [row["type"] for row in tables["trades"]] == ["LIMIT", "LIQUIDATED"]


def crashed(chain: ChainVenue) -> None:
    """The taker is long with all it has, and far below zero."""
    chain.trade(TAKER, MAKER, 430_000)
    chain.trade(TAKER, HEDGER, 430_000)
    chain.push({1: 2_000_000})


def test_a_liquidation_on_the_book_pays_the_insurance_fund(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 860_000)
    chain.push({1: 2_300_000 * 96 // 100})
    logs = chain.liquidate_on_the_book(TAKER, MAKER, 1_000)
    assert [log.reason for log in logs if log.name == "FillRejected"] == []
    index.sync()
    assert_equals_storage(index, chain)
    tables = index.tables()
    [row] = tables["liquidations"]
    assert (row["owner"], row["liquidator"], row["size"]) == (TAKER.address, MAKER.address, 1_000)
    assert row["insurance_fee"] == chain.exchange.call.insurance() > 0
    kinds = {row["type"]: row for row in tables["fills"] if row["type"] != "LIMIT"}
    assert kinds["LIQUIDATED"]["fee"] == row["insurance_fee"]
    assert kinds["LIQUIDATED"]["order_id"] is None
    assert kinds["LIQUIDATION"]["order_id"] is not None
    chain.warp(3_600)
    index.sync()
    assert_equals_storage(index, chain)


def test_a_deleveraged_account_and_its_counterparties(chain: ChainVenue, index: Index) -> None:
    chain.name_backstop(1_000 * USDC)
    crashed(chain)
    chain.deleverage(TAKER, [MAKER, HEDGER], [300_000, 430_000])
    index.sync()
    assert_equals_storage(index, chain)
    tables = index.tables()
    [row] = tables["deleveragings"]
    assert (row["owner"], row["size"]) == (TAKER.address, 730_000)
    assert [change["delta"] for change in tables["backstop_changes"]] == [-1_000 * USDC]
    rows = {(row["owner"], row["type"]): row for row in tables["fills"] if row["type"] != "LIMIT"}
    assert {key: row["size"] for key, row in rows.items()} == {
        (TAKER.address, "DELEVERAGED"): 730_000,
        (MAKER.address, "OFFSETTING"): 300_000,
        (HEDGER.address, "OFFSETTING"): 430_000,
    }
    assert rows[MAKER.address, "OFFSETTING"]["counterparty"] == TAKER.address
    assert tables["trades"][-1]["type"] == "DELEVERAGED"
    open_ = {row["owner"]: row["size"] for row in tables["positions"] if row["status"] == "OPEN"}
    assert open_ == {TAKER.address: 130_000, MAKER.address: -130_000}


def test_a_close_that_nobody_had_to_match(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 1_000)
    chain.exchange.send(TAKER.address).request_close(0, 1, 600)
    index.sync()
    [request] = index.tables()["close_requests"]
    assert (request["size"], request["left"]) == (600, 600)
    chain.warp(6 * 3_600)
    chain.exchange.send(HEDGER.address).execute_close(TAKER.address, 0, 1, [account_key(MAKER)], [400])
    index.sync()
    assert_equals_storage(index, chain)
    tables = index.tables()
    assert [row["left"] for row in tables["close_requests"]] == [200]
    assert [row["type"] for row in tables["trades"]] == ["LIMIT", "CLOSED"]
    [position] = [row for row in tables["position_words"] if row["owner"] == TAKER.address]
    assert position["size"] == 600


def test_the_end_of_a_market(chain: ChainVenue, index: Index, databases: Databases) -> None:
    chain.name_backstop(5_000 * USDC)
    crashed(chain)
    rule = chain.exchange.send(KEYS.governance.address)
    rule.begin_settling(1)
    chain.warp(3_600)
    rule.fix_settlement(1)
    index.sync()
    assert_equals_storage(index, chain)
    assert [row["state"] for row in index.tables()["markets"]] == [5, 1]
    rule.settle_positions(1, [account_key(key) for key in TRADERS])
    chain.push({1: 3_000_000})
    index.sync()
    assert_equals_storage(index, chain)
    assert [row["owner"] for row in index.tables()["settlements"]] == [TAKER.address]
    chain.warp(86_400)
    rule.settle_positions(1, [account_key(key) for key in TRADERS])
    index.sync()
    assert_equals_storage(index, chain)
    assert {row["size"] for row in index.tables()["position_words"]} == {0}
    assert {row["status"] for row in index.tables()["positions"]} == {"CLOSED"}
    assert_equals_fresh_sync(index, chain, databases)


def test_margin_that_open_interest_scales(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 100_000)
    chain.exchange.send(KEYS.governance.address).set_margin_scale(1, 10, 100)
    index.sync()
    assert_equals_storage(index, chain)


def test_referrers_are_paid_from_fees(chain: ChainVenue, index: Index) -> None:
    chain.exchange.send(KEYS.governance.address).set_referrer_share(100_000)
    chain.exchange.send(LIQUIDATOR.address).register_referrer(3)
    chain.trade(TAKER, MAKER, 1_000, referrer=1)
    index.sync()
    assert_equals_storage(index, chain)
    [referrer] = index.tables()["referrers"]
    assert referrer["balance"] == 1_000 * 2_300_000 * 350 // 10**6 // 10
    chain.exchange.send(TAKER.address).claim_referral(1)
    index.sync()
    assert_equals_storage(index, chain)
    assert index.tables()["transfers"][-1]["type"] == "TRANSFER_IN"


def test_session_keys(chain: ChainVenue, index: Index) -> None:
    expiry = chain.rpc.now + 3_600
    sender = chain.exchange.send(TAKER.address)
    sender.register_session_key(TAKER.address, HEDGER.address, [2, 1], 10**9, expiry, 1, b"")
    sender.revoke_session_key(TAKER.address, HEDGER.address)
    index.sync()
    assert_equals_storage(index, chain)
    [key] = index.tables()["session_keys"]
    assert (key["key"], key["markets"], key["budget"]) == (HEDGER.address, "2,1", 10**9)


def test_a_rejected_fill_names_the_guilty_order(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 10, 10**7)
    chain.trade(TAKER, MAKER, 900_000)
    index.sync()
    rejected = index.tables()["rejected_fills"]
    assert [row["reason"] for row in rejected] == ["price band", "margin"]
    assert rejected[0]["order_id"] is None
    assert rejected[1]["order_id"] is not None


def test_backfill_and_resume(chain: ChainVenue, databases: Databases, database_url: str) -> None:
    """Blocks that are long final come by ranges, the rest one by one; a second process goes on where one stopped."""
    for lots in (5, 7, -3):
        chain.trade(TAKER, MAKER, lots)
    chain.rpc.request("anvil_mine", hex(200))
    chain.push({})
    first = Index(chain.rpc.url, chain.record(), database_url)
    first.sync()
    assert_equals_storage(first, chain)
    first.close()
    chain.trade(TAKER, MAKER, 11)
    second = Index(chain.rpc.url, chain.record(), database_url)
    assert second.follower.position.number == chain.block - 1
    second.sync()
    assert_equals_storage(second, chain)
    assert_equals_fresh_sync(second, chain, databases)
    second.close()


def test_reorgs_leave_what_a_fresh_sync_finds(chain: ChainVenue, index: Index, databases: Databases) -> None:
    """Random histories are taken back and replaced by others, shorter or longer."""
    dice = random.Random(5)
    chain.trade(TAKER, MAKER, 500)
    for _ in range(8):
        snapshot = chain.rpc.request("evm_snapshot")
        kept = (chain.system.head, chain.system.batches, dict(chain.prices))
        for _ in range(dice.randrange(1, 8)):
            chain.act(dice)
        index.sync()
        chain.rpc.request("evm_revert", snapshot)
        chain.system.head, chain.system.batches, chain.prices = kept
        chain.push({})
        for _ in range(dice.randrange(1, 8)):
            chain.act(dice)
        index.sync()
        assert_equals_fresh_sync(index, chain, databases)
        assert_equals_storage(index, chain)
    assert index.watcher.reversals


def test_a_reorg_tells_which_fills_no_longer_stand(chain: ChainVenue, index: Index) -> None:
    chain.trade(TAKER, MAKER, 5)
    index.sync()
    stands = [row["id"] for row in index.tables()["trades"]]
    chain.rpc.request("anvil_reorg", 1, [])
    index.sync()
    [reversal] = index.watcher.reversals
    assert reversal.trades == {IDS["BTC-USD"]: stands}
    assert reversal.fills == {(TAKER.address, 0): stands, (MAKER.address, 0): stands}
    assert index.tables()["trades"] == []


def test_a_rebuild_finds_the_same(chain: ChainVenue, database_url: str, tmp_path: Path) -> None:
    first = Index(chain.rpc.url, chain.record(), database_url)
    chain.trade(TAKER, MAKER, 5)
    first.sync()
    expected = first.tables()
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps(chain.record()))
    assert rebuild(Options(chain.rpc.url, "", database_url, deployment)) == chain.block
    assert first.tables() == expected
    first.close()


def test_a_node_of_another_chain_is_refused(chain: ChainVenue, database_url: str) -> None:
    other = Index(chain.rpc.url, chain.record() | {"chainId": 1}, database_url)
    with pytest.raises(WrongChainError, match="31337"):
        other.sync()
    other.close()
