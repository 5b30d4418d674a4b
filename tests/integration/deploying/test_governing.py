# SPDX-License-Identifier: AGPL-3.0-only
"""A deployment governed by its scripts: proposals, delay, notice, cancelling, listing, handing over."""

import json
import re

from tests.integration.deploying.checkout import DELAY, DEPLOYER, GUARDIAN, LOCAL, NEWCOMER, Scripts
from tests.support.abi import abi_of
from tests.support.chain import Contract
from tests.support.system import EXCHANGE

DAY = 86_400
LISTING = """
[[markets]]
id = 3
ticker = "SOL-USD"
size_decimals = 2
tick = 100
imf_ppm = 100_000
mmf_ppm = 50_000
band_ppm = 100_000
max_open_interest = 10_000_000
max_price_age = 120
liquidation_floor_ppm = 5_000
scale_from = 100
scale_to = 1_000
"""


def exchange(scripts: Scripts) -> Contract:
    return Contract(scripts.node.rpc, scripts.data["contracts"]["exchange"], abi_of(*EXCHANGE))


def timelock(scripts: Scripts) -> Contract:
    return Contract(scripts.node.rpc, scripts.data["contracts"]["timelock"], abi_of("Timelock"))


def operation_ids(printed: str) -> list[str]:
    return re.findall(r"operation (0x[0-9a-f]{64}) is ready in", printed)


def test_a_change_waits_is_shown_is_made_and_is_recorded(scripts: Scripts) -> None:
    [id_] = operation_ids(scripts.propose("exchange", "set_market", "market=BTC-USD", "imf=60_000"))
    listed = scripts.run("operation list")
    assert f"{id_}  waiting" in listed
    assert "exchange.set_market(market=1, tick=100, imf=60000, mmf=30000" in listed
    assert "is ready in" in scripts.run("operation execute", id_, account=0, fails=True)
    scripts.node.rpc.warp(DELAY)
    assert "made exchange.set_market" in scripts.run("operation execute", id_[:12], account=0)
    assert exchange(scripts).call.market(1)[4] == 60_000
    assert scripts.data["markets"][0]["imfPpm"] == 60_000
    assert "nothing is proposed" in scripts.run("operation list")
    assert "done" in scripts.run("operation list", "--all")


def test_what_needs_notice_is_announced_first(scripts: Scripts) -> None:
    printed = scripts.propose("exchange", "set_market", "market=BTC-USD", "mmf=40_000")
    assert "needs 14 days of notice" in printed
    announced, change = operation_ids(printed)
    scripts.node.rpc.warp(DELAY)
    assert "made exchange.announce: exchange.set_market" in scripts.execute_ready()
    assert "is ready in 13 days" in scripts.run("operation execute", change, account=0, fails=True)
    scripts.node.rpc.warp(14 * DAY)
    scripts.run("operation execute", change, account=0)
    assert exchange(scripts).call.market(1)[5] == 40_000
    assert announced != change


def test_what_would_fail_is_not_proposed(scripts: Scripts) -> None:
    for arguments, told in (
        (("set_market", "market=BTC-USD", "mmf=70_000"), "maintenance margin not in 0.5%..initial"),
        (("set_referrer_share", "500_001"), "share above 50%"),
        (("set_market", "market=DOGE-USD", "mmf=1"), "no market DOGE-USD; there are BTC-USD, ETH-USD"),
        (("set_market", "market=BTC-USD", "leverage=3"), "set_market takes market, tick, imf"),
        (("set_market", "market=BTC-USD", "imf=many"), "imf='many' is no uint256"),
        (("set_operator", NEWCOMER), "set_operator needs allowed (bool)"),
        (("set_price", "1"), "there is no function set_price; there are"),
    ):
        assert told in scripts.propose("exchange", *arguments, fails=True)
    assert "has no contract treasury; it has" in scripts.propose("treasury", "set_price", fails=True)
    assert "nothing is proposed" in scripts.run("operation list")


def test_who_may_not_is_told_and_can_print_it_for_who_may(scripts: Scripts) -> None:
    wanted = ("exchange", "set_referrer_share", "250_000")
    assert "is no proposer of the timelock" in scripts.propose(*wanted, account=5, fails=True)
    printed = scripts.propose(*wanted, "--dry-run", account=5)
    [to], [data] = re.findall(r"to   (0x\w+)", printed), re.findall(r"data 0x([0-9a-f]+)", printed)
    assert to == scripts.data["contracts"]["timelock"]
    assert "nothing is proposed" in scripts.run("operation list")
    scripts.node.rpc.transact(DEPLOYER, to, bytes.fromhex(data))
    assert "exchange.set_referrer_share(share_ppm=250000)" in scripts.run("operation list")


def test_a_canceller_stops_an_operation(scripts: Scripts) -> None:
    [id_] = operation_ids(scripts.propose("exchange", "set_referrer_share", "250_000"))
    assert "is no canceller" in scripts.run("operation cancel", id_, account=5, fails=True)
    scripts.run("operation cancel", id_, account=0)
    scripts.node.rpc.warp(DELAY)
    assert f"operation {id_} is unknown" in scripts.run("operation execute", id_, account=0, fails=True)
    assert "nothing is ready" in scripts.run("operation execute", "--all-ready", account=0, fails=True)


def test_a_market_is_listed_with_everything_it_needs(scripts: Scripts) -> None:
    parameters = scripts.folder / "more.toml"
    parameters.write_text((scripts.folder / LOCAL).read_text() + LISTING)
    scripts.run("list_market", "--parameters", str(parameters), "SOL-USD", account=0)
    scripts.node.rpc.warp(DELAY)
    scripts.execute_ready()
    assert exchange(scripts).call.market(3)[0] == "SOL-USD"
    assert exchange(scripts).call.margin_scale(3) == (100, 1_000)
    assert [market["ticker"] for market in scripts.data["markets"]] == ["BTC-USD", "ETH-USD", "SOL-USD"]
    again = scripts.run("list_market", "--parameters", str(parameters), "SOL-USD", account=0, fails=True)
    assert "already listed" in again
    none = scripts.run("list_market", "--parameters", str(parameters), "XRP-USD", account=0, fails=True)
    assert "name no market XRP-USD; they name BTC-USD, ETH-USD, SOL-USD" in none


def test_a_hand_over_takes_two_and_leaves_nothing(scripts: Scripts) -> None:
    assert "proposer of timelock" in scripts.run("hand_over check", DEPLOYER, fails=True)
    to = ("--to", NEWCOMER, "--guardian", GUARDIAN)
    assert "has no code, so it is no multisig" in scripts.run("hand_over propose", *to, account=0, fails=True)
    scripts.run("hand_over propose", *to, "--plain-account", account=0)
    scripts.node.rpc.warp(DELAY)
    scripts.execute_ready()
    assert scripts.data["guardian"] == GUARDIAN
    old = ("--from", DEPLOYER)
    assert "the new holder proposes this" in scripts.run("hand_over finish", *old, account=0, fails=True)
    scripts.run("hand_over finish", *old, account=1)
    scripts.node.rpc.warp(DELAY)
    scripts.execute_ready(account=1)
    assert "has no right left" in scripts.run("hand_over check", DEPLOYER)
    for role in ("PROPOSER", "EXECUTOR", "CANCELLER"):
        name = getattr(timelock(scripts).call, f"{role}_ROLE")()
        assert timelock(scripts).call.hasRole(name, NEWCOMER)
        assert not timelock(scripts).call.hasRole(name, DEPLOYER)
    assert "is no proposer" in scripts.propose("exchange", "set_referrer_share", "1", fails=True)


def test_another_network_and_a_record_that_is_none_are_refused(scripts: Scripts) -> None:
    scripts.change_record("chainId", value=1)
    assert "is a deployment on chain 1; this network is 31337" in scripts.run("operation list", fails=True)
    scripts.record.write_text(json.dumps({"format": 0}))
    assert "is no deployment record of format 1" in scripts.run("operation list", fails=True)
