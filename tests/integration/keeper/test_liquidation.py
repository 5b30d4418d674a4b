# SPDX-License-Identifier: AGPL-3.0-only
"""The liquidation bot against the real contracts on a real node."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli import app
from keeper.functions import LIQUIDATE
from keeper.liquidator import Rescue
from keeper.outcome import Result
from keeper.ports import Call, RefusedError
from keeper.rpc_chain import RpcChain
from ouro.units import SCALE
from tests.integration.keeper.conftest import BTC, LIQUIDATOR, LONG, LOTS, PRICE, RIVAL, SHORT, Venue
from tests.support.anvil import record
from tests.support.wire import PositionWord

THIN = PRICE * 960 // 1_000
"""Four percent down: the long has 80 USDC of equity, maintenance margin is 86."""

BROKEN = PRICE * 920 // 1_000
"""Eight percent down: the long's equity is below zero."""


def lots(venue: Venue, owner: str) -> int:
    word = venue.system.exchange.call.position(owner, 0, BTC)
    return PositionWord.unpack(word).size


def test_a_healthy_account_is_left_alone(venue: Venue) -> None:
    keeper = venue.keeper()
    assert keeper.round() == []
    assert keeper.surveyor.watch.holders() == sorted([(LONG.address, 0), (SHORT.address, 0)])


def test_an_account_below_maintenance_is_brought_back_to_initial_margin(venue: Venue) -> None:
    venue.push(THIN)
    [outcome] = venue.keeper().round()
    assert outcome.result is Result.WON
    assert 0 < outcome.lots < LOTS
    assert lots(venue, LONG.address) == LOTS - outcome.lots
    assert lots(venue, LIQUIDATOR.address) == outcome.lots
    equity, initial, _ = venue.margin(LONG)
    assert initial <= equity
    assert outcome.gas_wei > 0


def test_the_gain_is_what_the_equity_says(venue: Venue) -> None:
    venue.push(THIN)
    [outcome] = venue.keeper().round()
    equity, _, _ = venue.margin(LIQUIDATOR)
    assert equity == (10_000_000_000 + outcome.gain) * SCALE
    assert outcome.gain == outcome.attempt.expected_gain > 0


def test_nothing_is_found_twice(venue: Venue) -> None:
    keeper = venue.keeper()
    venue.push(THIN)
    assert len(keeper.round()) == 1
    assert keeper.round() == []


def test_a_dry_run_sends_nothing(venue: Venue) -> None:
    venue.push(THIN)
    [outcome] = venue.keeper(dry_run=True).round()
    assert outcome.result is Result.SKIPPED
    assert outcome.reason.startswith("dry run")
    assert outcome.attempt.expected_gain > 0
    assert lots(venue, LONG.address) == LOTS


def test_a_profit_below_the_least_is_let_go(venue: Venue) -> None:
    venue.push(THIN)
    [outcome] = venue.keeper(min_profit=10**9).round()
    assert outcome.result is Result.SKIPPED
    assert "too small" in outcome.reason


def test_without_margin_of_its_own_it_can_take_nothing(venue: Venue) -> None:
    venue.push(THIN)
    assert venue.keeper(subaccount=7).round() == []
    assert lots(venue, LONG.address) == LOTS


def test_little_margin_takes_over_a_part(venue: Venue) -> None:
    venue.system.fund(LIQUIDATOR.address, 20_000_000, subaccount=7)
    venue.push(THIN)
    [outcome] = venue.keeper(subaccount=7).round()
    assert outcome.result is Result.WON
    assert outcome.lots == outcome.attempt.lots < 250


def test_margin_that_open_interest_scales_decides_how_much(venue: Venue) -> None:
    """The keeper asks for what the contract gives."""
    venue.push(THIN)
    [plain] = venue.find()
    venue.system.exchange.send(venue.system.keys.governance.address).set_margin_scale(1, 0, 1)
    [scaled] = venue.find()
    assert scaled.market.imf_ppm > plain.market.imf_ppm
    [outcome] = venue.keeper().round()
    assert outcome.result is Result.WON
    assert outcome.lots == scaled.lots


def test_nobody_is_liquidated_in_a_market_that_ended(venue: Venue) -> None:
    rule = venue.system.exchange.send(venue.system.keys.governance.address)
    rule.begin_settling(1)
    venue.node.rpc.warp(3_600)
    venue.push(THIN)
    assert len(venue.find()) == 1
    rule.fix_settlement(1)
    assert venue.find() == []


def test_beyond_bankruptcy_it_helps_out_for_nothing(venue: Venue) -> None:
    venue.push(BROKEN)
    [outcome] = venue.keeper().round()
    assert (outcome.result, outcome.lots, outcome.gain) == (Result.WON, LOTS, 0)
    assert lots(venue, LONG.address) == 0
    assert venue.margin(LONG)[0] == 0


def test_beyond_bankruptcy_it_need_not_help_out(venue: Venue) -> None:
    venue.push(BROKEN)
    [outcome] = venue.keeper(rescue=Rescue.NONE).round()
    assert outcome.result is Result.SKIPPED
    assert "pays nothing" in outcome.reason


def test_a_stale_price_liquidates_nobody(venue: Venue) -> None:
    venue.push(THIN)
    venue.node.rpc.warp(121)
    assert venue.keeper().round() == []


class _Interrupted(RpcChain):
    """A node before whose eyes something else happens first, just when a transaction is sent."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.first: Callable[[], object] = lambda: None

    def send_many(self, raw_transactions: Sequence[bytes]) -> list[str | RefusedError]:
        self.first()
        return super().send_many(raw_transactions)


def test_a_rival_who_was_faster_is_named(venue: Venue) -> None:
    chain = venue.chain(_Interrupted)
    keeper = venue.keeper(chain=chain)
    venue.push(THIN)
    chain.first = lambda: venue.keeper(RIVAL).round()
    [outcome] = keeper.round()
    assert outcome.result is Result.OUTCOMPETED
    assert outcome.reason == f"by {RIVAL.address}"
    assert outcome.gas_wei > 0
    assert lots(venue, LIQUIDATOR.address) == 0


def test_a_recovered_price_reverts_and_the_account_rests_a_while(venue: Venue) -> None:
    chain = venue.chain(_Interrupted)
    keeper = venue.keeper(chain=chain)
    venue.push(THIN)
    chain.first = lambda: venue.push(PRICE)
    [outcome] = keeper.round()
    assert (outcome.result, outcome.reason) == (Result.REVERTED, "account is healthy")
    venue.push(THIN)
    assert keeper.round() == []


def test_a_reorg_makes_it_read_everything_again(venue: Venue) -> None:
    watch = venue.keeper().surveyor.watch
    watch.sync()
    before = watch.holders()
    snapshot = venue.node.rpc.request("evm_snapshot")
    venue.trade(SHORT, LONG, LOTS, PRICE)
    watch.sync()
    assert watch.holders() == []
    venue.node.rpc.request("evm_revert", snapshot)
    venue.node.rpc.warp(5)
    venue.node.rpc.warp(5)
    watch.sync()
    assert watch.rebuilds == 1
    assert watch.holders() == before


def test_a_refusal_carries_the_contracts_reason(venue: Venue) -> None:
    venue.push(THIN)
    healthy = Call(
        venue.deployment.contracts.exchange, LIQUIDATE.encode(SHORT.address, 0, BTC, 1, 0), LIQUIDATOR.address
    )
    [refusal] = venue.chain().simulate_many([healthy])
    assert isinstance(refusal, RefusedError)
    assert refusal.reason == "account is healthy"


def test_the_command_says_what_it_would_do(venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue.push(THIN)
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(record(venue.system, venue.deployment.start_block)))
    monkeypatch.setenv("OURO_KEEPER_KEY", "0x" + bytes(LIQUIDATOR.key).hex())
    monkeypatch.setenv("OURO_RPC_URL", venue.node.rpc_url)
    monkeypatch.setenv("OURO_DEPLOYMENT_PATH", str(path))
    result = CliRunner().invoke(app, ["once", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "2 accounts with positions, 1 below maintenance margin" in result.output
    assert "liquidation skipped: BTC-USD of" in result.output
    assert "dry run" in result.output
    assert lots(venue, LONG.address) == LOTS
