# SPDX-License-Identifier: AGPL-3.0-only
"""Who may change the OracleRouter and the signer of pushed prices, and after which notice."""

import re

import pytest
from eth_utils.crypto import keccak

from tests.support.abi import Function, RevertError
from tests.support.build import ROOT
from tests.support.chain import Contract, deploy
from tests.support.evm import Evm
from tests.support.oracles import NOBODY, NOTICE, Sources
from tests.support.wire import wallet

OWNER, GUARDIAN, STRANGER = (wallet(role).address for role in ("governance", "guardian", "stranger"))
PRICE = 2_300_000
AGE = 3_600
LIFE = 14 * 86_400
GOVERNANCE = {"announce", "withdraw_notice", "set_sources", "enable_source", "set_guardian"}


class Scene:
    """A router with three sources for market 1, which agree."""

    def __init__(self, quorum: int = 2) -> None:
        self.evm = Evm()
        self.sources = Sources(self.evm, OWNER, GUARDIAN)
        self.router: Contract = self.sources.router
        self.doubles = [deploy(self.evm, OWNER, "SourceDouble") for _ in range(3)]
        self.say()
        self.sources.configure(1, self.named(), quorum=quorum)

    def named(self, max_age: int = AGE) -> list[tuple[str, bytes, int]]:
        return [(double.address, bytes(32), max_age) for double in self.doubles]

    def say(self) -> None:
        for double in self.doubles:
            double.send(OWNER).set_answer(PRICE, self.evm.now)

    def wait(self, seconds: int) -> None:
        self.evm.warp(seconds)
        self.say()

    def change(self, max_age: int = 60) -> tuple[object, ...]:
        """Arguments of a change of all sources."""
        return 1, 4, 2, 10_000, self.named(max_age)

    def announce(self, name: str, *arguments: object) -> None:
        self.router.send(OWNER).announce(self.router.data(name, *arguments))

    def enabled(self) -> tuple[bool, ...]:
        flags: tuple[bool, ...] = self.router.call.sources_of(1)[4]
        return flags


@pytest.fixture
def scene() -> Scene:
    return Scene()


def writers(contract: Contract) -> dict[str, Function]:
    return {name: f for name, f in contract.abi.functions.items() if f.mutability not in ("view", "pure")}


def test_every_function_that_writes_turns_everybody_else_away(scene: Scene) -> None:
    guarded = GOVERNANCE | {"disable_source", "transfer_ownership", "accept_ownership"}
    assert set(writers(scene.router)) == guarded
    for name in guarded:
        told = {
            "disable_source": "only guardian or governance",
            "transfer_ownership": "ownable: caller is not the owner",
            "accept_ownership": "ownable_2step: caller is not the new owner",
        }.get(name, "only governance")
        senders = (STRANGER,) if name == "disable_source" else (STRANGER, GUARDIAN)
        for sender in senders:
            with pytest.raises(RevertError) as caught:
                getattr(scene.router.send(sender), name)(*writers(scene.router)[name].blank())
            assert caught.value.reason == told


def test_the_documented_matrix_names_the_same_functions(scene: Scene) -> None:
    section = (ROOT / "docs" / "roles.md").read_text().split("## OracleRouter\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    documented = {name: row[1:] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert set(documented) | {"accept_ownership"} == set(writers(scene.router))
    guardian = {name for name, columns in documented.items() if columns[1].strip()}
    assert guardian == {"disable_source"}
    assert all(columns[2].strip() and not columns[0].strip() for columns in documented.values())


def test_nobody_can_change_an_adapter(scene: Scene) -> None:
    assert not writers(scene.sources.chainlink)
    assert set(writers(scene.sources.pyth_adapter)) == {"update"}


def test_ownership_moves_in_two_steps_and_cannot_be_dropped(scene: Scene) -> None:
    assert "renounce_ownership" not in scene.router.abi.functions
    scene.router.send(OWNER).transfer_ownership(STRANGER)
    assert scene.router.call.owner() == OWNER
    assert scene.router.call.pending_owner() == STRANGER
    scene.router.send(STRANGER).accept_ownership()
    assert scene.router.call.owner() == STRANGER
    with pytest.raises(RevertError, match="only governance"):
        scene.router.send(OWNER).set_guardian(OWNER)


# Notice


def test_the_first_sources_of_a_market_need_no_notice_and_the_next_do(scene: Scene) -> None:
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).set_sources(*scene.change())
    scene.router.send(OWNER).set_sources(2, *scene.change()[1:])
    scene.announce("set_sources", *scene.change())
    scene.wait(NOTICE)
    scene.router.send(OWNER).set_sources(*scene.change())
    assert scene.router.call.sources_of(1)[3][0][2] == 60


def test_first_sources_need_a_notice_when_the_router_is_three_days_old(scene: Scene) -> None:
    """A new market's price reaches the same Vault. In the first three days nobody prices by it."""
    first = (2, *scene.change()[1:])
    until = scene.router.call.NOTICE_FROM() - 1
    scene.wait(until - scene.evm.now)
    with scene.evm.undone():
        scene.router.send(OWNER).set_sources(*first)
    scene.wait(1)
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).set_sources(*first)
    scene.announce("set_sources", *first)
    scene.wait(NOTICE)
    scene.router.send(OWNER).set_sources(*first)
    assert scene.router.call.sources_of(2)[3][0][2] == 60


def test_a_notice_is_ready_to_the_second_and_expires_to_the_second(scene: Scene) -> None:
    for late, told in ((-1, "notice too young"), (0, ""), (LIFE, ""), (LIFE + 1, "notice expired")):
        scene.announce("set_sources", *scene.change())
        scene.wait(NOTICE + late)
        if told:
            with pytest.raises(RevertError, match=told):
                scene.router.send(OWNER).set_sources(*scene.change())
        else:
            scene.router.send(OWNER).set_sources(*scene.change())


def test_a_notice_is_of_one_call_alone_and_is_spent_once(scene: Scene) -> None:
    scene.announce("set_sources", *scene.change(60))
    scene.wait(NOTICE)
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).set_sources(*scene.change(61))
    scene.router.send(OWNER).set_sources(*scene.change(60))
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).set_sources(*scene.change(60))


def test_a_change_that_fails_does_not_spend_its_notice(scene: Scene) -> None:
    scene.announce("set_sources", *scene.change())
    scene.evm.warp(NOTICE)
    with pytest.raises(RevertError, match="source without a price"):
        scene.router.send(OWNER).set_sources(*scene.change())
    scene.say()
    scene.router.send(OWNER).set_sources(*scene.change())


def test_a_notice_can_be_read_withdrawn_and_started_anew(scene: Scene) -> None:
    call = scene.router.data("set_sources", *scene.change())
    [log] = scene.router.send(OWNER).announce(call).named("Announced")
    assert (log.hash, log.call, log.ready_at) == (keccak(call), call, scene.evm.now + NOTICE)
    assert scene.router.call.notice_ready_at(keccak(call)) == log.ready_at
    scene.wait(NOTICE)
    [gone] = scene.router.send(OWNER).withdraw_notice(keccak(call)).named("NoticeWithdrawn")
    assert gone.hash == keccak(call)
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).set_sources(*scene.change())
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).withdraw_notice(keccak(call))
    scene.router.send(OWNER).announce(call)
    scene.wait(NOTICE - 1)
    scene.router.send(OWNER).announce(call)
    scene.wait(1)
    with pytest.raises(RevertError, match="notice too young"):
        scene.router.send(OWNER).set_sources(*scene.change())


# The guardian


def test_the_guardian_silences_a_source_down_to_the_quorum_and_no_further(scene: Scene) -> None:
    [log] = scene.router.send(GUARDIAN).disable_source(1, 0).named("SourceDisabled")
    assert (log.market, log.index) == (1, 0)
    assert scene.enabled() == (False, True, True)
    scene.doubles[0].send(OWNER).set_answer(9_999_999, scene.evm.now)
    assert scene.router.call.price(1) == (PRICE, scene.evm.now)
    with pytest.raises(RevertError, match="quorum needs it"):
        scene.router.send(GUARDIAN).disable_source(1, 1)
    with pytest.raises(RevertError, match="source is disabled"):
        scene.router.send(GUARDIAN).disable_source(1, 0)
    for market, index in ((1, 3), (1, 2**255), (2, 0)):
        with pytest.raises(RevertError, match="no such source"):
            scene.router.send(GUARDIAN).disable_source(market, index)


@pytest.mark.parametrize("index", range(3))
def test_a_silent_source_does_not_count_even_when_the_others_fail(scene: Scene, index: int) -> None:
    scene.router.send(OWNER).disable_source(1, index)
    other = (index + 1) % 3
    scene.doubles[other].send(OWNER).set_mode(1, NOBODY)
    assert scene.router.call.price(1) == (0, 0)


def test_a_source_speaks_again_after_notice_only(scene: Scene) -> None:
    with pytest.raises(RevertError, match="source is enabled"):
        scene.router.send(OWNER).enable_source(1, 1)
    scene.router.send(GUARDIAN).disable_source(1, 1)
    with pytest.raises(RevertError, match="no notice"):
        scene.router.send(OWNER).enable_source(1, 1)
    with pytest.raises(RevertError, match="no such source"):
        scene.router.send(OWNER).enable_source(1, 3)
    scene.announce("enable_source", 1, 1)
    scene.wait(NOTICE)
    [log] = scene.router.send(OWNER).enable_source(1, 1).named("SourceEnabled")
    assert (log.market, log.index) == (1, 1)
    assert scene.enabled() == (True, True, True)


def test_governance_names_the_guardian_at_once(scene: Scene) -> None:
    [log] = scene.router.send(OWNER).set_guardian(STRANGER).named("GuardianSet")
    assert log.guardian == STRANGER == scene.router.call.guardian()
    with pytest.raises(RevertError, match="only guardian or governance"):
        scene.router.send(GUARDIAN).disable_source(1, 0)
    scene.router.send(STRANGER).disable_source(1, 0)


# The signer of pushed prices


def test_a_new_price_signer_needs_notice() -> None:
    evm = Evm()
    oracle = deploy(evm, OWNER, "PushedOracle", wallet("price signer").address)
    with pytest.raises(RevertError, match="no notice"):
        oracle.send(OWNER).set_signer(STRANGER)
    oracle.send(OWNER).announce(oracle.data("set_signer", STRANGER))
    evm.warp(NOTICE - 1)
    with pytest.raises(RevertError, match="notice too young"):
        oracle.send(OWNER).set_signer(STRANGER)
    evm.warp(1)
    with pytest.raises(RevertError, match="only governance"):
        oracle.send(STRANGER).set_signer(STRANGER)
    oracle.send(OWNER).set_signer(STRANGER)
    assert oracle.call.signer() == STRANGER


def test_pushed_prices_are_a_source_by_their_markets_id() -> None:
    evm = Evm()
    oracle = deploy(evm, OWNER, "PushedOracle", wallet("price signer").address)
    assert oracle.call.read((1).to_bytes(32, "big"), 4) == (0, 0)
    assert oracle.call.read(b"\xff" * 32, 4) == (0, 0)
