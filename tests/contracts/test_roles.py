# SPDX-License-Identifier: AGPL-3.0-only
"""Every external function, called as every role; and docs/roles.md held against the contracts (I16)."""

import re
from typing import Any

import pytest

from tests.support.abi import Function, RevertError, abi_of
from tests.support.build import ROOT
from tests.support.chain import Contract, deploy
from tests.support.system import EXCHANGE
from tests.support.wire import wallet
from tests.support.world import KEYS, World

# contracts that have an address of their own; the Exchange speaks for those behind it
PLACES = (
    "Exchange",
    "Vault",
    "PushedOracle",
    "OracleRouter",
    "PythAdapter",
    "ChainlinkAdapter",
    "Timelock",
    "Backstop",
    "TestUSDC",
)
NO_OWNER = "ownable: caller is not the owner"
NO_HEIR = "ownable_2step: caller is not the new owner"
NO_ROLE = "access_control: account is missing role"
# functions that only some may call, with what the others are told
GUARDED = {
    "Exchange": {
        "settle": ({"operator"}, "only operators"),
        "execute_fill": (set(), "only self"),
        "execute_group": (set(), "only self"),
        "execute_liquidation": (set(), "only self"),
        "revoke_session_key": (set(), "only the owner or the key"),
        "credit": (set(), "only the vault"),
        "debit": (set(), "only the vault"),
        "credit_insurance": (set(), "only the vault"),
        "tighten": ({"guardian", "governance"}, "only guardian or governance"),
        "lower_cap": ({"guardian", "governance"}, "only guardian or governance"),
        "begin_settling": ({"governance"}, "batches are settled"),
        "list_market": ({"governance"}, "only governance"),
        "set_market": ({"governance"}, "only governance"),
        "set_margin_scale": ({"governance"}, "only governance"),
        "set_referrer_share": ({"governance"}, "only governance"),
        "set_fee_tiers": ({"governance"}, "only governance"),
        "set_operator": ({"governance"}, "only governance"),
        "set_guardian": ({"governance"}, "only governance"),
        "set_oracle": ({"governance"}, "only governance"),
        "set_vault": ({"governance"}, "only governance"),
        "set_backstop": ({"governance"}, "only governance"),
        "withdraw_fees": ({"governance"}, "only governance"),
        "announce": ({"governance"}, "only governance"),
        "withdraw_notice": ({"governance"}, "only governance"),
        "transfer_ownership": ({"governance"}, NO_OWNER),
        "accept_ownership": (set(), NO_HEIR),
    },
    "Vault": {
        "set_cosigner": ({"governance"}, "only governance"),
        "set_outflow_limits": ({"governance"}, "only governance"),
        "tighten_outflow": ({"guardian", "governance"}, "only guardian or governance"),
        "stretch_queue": ({"guardian", "governance"}, "only guardian or governance"),
        "withdraw_backstop": (set(), "only the backstop"),
        "transfer_ownership": ({"governance"}, NO_OWNER),
        "accept_ownership": (set(), NO_HEIR),
    },
    "PushedOracle": {
        "set_signer": ({"governance"}, "only governance"),
        "announce": ({"governance"}, "only governance"),
        "withdraw_notice": ({"governance"}, "only governance"),
        "transfer_ownership": ({"governance"}, NO_OWNER),
        "accept_ownership": (set(), NO_HEIR),
    },
    "OracleRouter": {
        "set_sources": ({"governance"}, "only governance"),
        "enable_source": ({"governance"}, "only governance"),
        "disable_source": ({"guardian", "governance"}, "only guardian or governance"),
        "set_guardian": ({"governance"}, "only governance"),
        "announce": ({"governance"}, "only governance"),
        "withdraw_notice": ({"governance"}, "only governance"),
        "transfer_ownership": ({"governance"}, NO_OWNER),
        "accept_ownership": (set(), NO_HEIR),
    },
    "Timelock": {
        "schedule": ({"proposer"}, NO_ROLE),
        "execute": ({"executor"}, NO_ROLE),
        "cancel": ({"canceller"}, NO_ROLE),
        "update_delay": (set(), "only by an operation"),
        "grant_role": (set(), "only by an operation"),
        "revoke_role": (set(), "only by an operation"),
    },
}
OPEN = {
    "Exchange": {
        "cancel_slot",
        "cancel_all",
        "liquidate",
        "poke",
        "deleverage",
        "register_session_key",
        "register_referrer",
        "claim_referral",
        "request_close",
        "execute_close",
        "fix_settlement",
        "settle_positions",
        "cover_debt",
    },
    "Vault": {
        "deposit",
        "deposit_with_permit",
        "donate",
        "request_withdrawal",
        "cancel_withdrawal",
        "execute_withdrawal",
        "approve_withdrawal",
        "withdraw_signed",
        "withdraw_approved",
        "set_rules",
    },
    "PushedOracle": {"push"},
    "PythAdapter": {"update"},
    "Timelock": {"accept_ownership"},
    "Backstop": {
        "approve",
        "cancel_redeem",
        "deposit",
        "mint",
        "permit",
        "redeem",
        "release",
        "request_redeem",
        "sweep",
        "sync",
        "transfer",
        "transferFrom",
        "withdraw",
        "write_off",
    },
    "TestUSDC": {"approve", "mint", "permit", "transfer", "transferFrom"},
}


# of the tables
COLUMNS = {
    "Exchange": ("trader", "operator", "anyone", "guardian", "governance", "Vault"),
    "Vault": ("trader", "anyone", "guardian", "governance", "Backstop"),
    "PushedOracle": ("anyone", "governance"),
    "OracleRouter": ("anyone", "guardian", "governance"),
    "Timelock": ("proposer", "executor", "canceller", "anyone", "the Timelock itself"),
}
PAGE = (ROOT / "docs" / "roles.md").read_text()
NOBODY = "0x" + "00" * 20


def contract(world: World, place: str) -> Contract:
    """Deployed by governance where the exchange has none of its own."""
    known = {"Exchange": world.exchange, "Vault": world.vault, "PushedOracle": world.oracle, "TestUSDC": world.usdc}
    if place in known:
        return known[place]
    names = senders(world)
    arguments: dict[str, tuple[Any, ...]] = {
        "OracleRouter": (names["guardian"], NOBODY, 0),
        "PythAdapter": (world.usdc.address, 5_000),
        "ChainlinkAdapter": (),
        "Timelock": (0, 0, [names["proposer"]], [names["executor"]], [names["canceller"]]),
        "Backstop": (world.vault.address,),
    }
    return deploy(world.evm, world.governance, place, *arguments[place])


def sections() -> list[str]:
    return re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)


def test_every_contract_that_is_deployed_has_a_table() -> None:
    found = {path.stem for path in (ROOT / "contracts").glob("*.vy")}
    assert found - set(EXCHANGE[1:]) == set(PLACES) == set(sections())


def senders(world: World) -> dict[str, str]:
    return {
        "governance": world.governance,
        "guardian": KEYS.guardian.address,
        "operator": world.operator,
        "price signer": KEYS.price_signer.address,
        "trader": world.taker.address,
        "keeper": wallet("keeper").address,
        "proposer": wallet("proposer").address,
        "executor": wallet("executor").address,
        "canceller": wallet("canceller").address,
        "non_owner": wallet("non-owner").address,
    }


def functions(place: str, *kinds: str) -> dict[str, Function]:
    found = abi_of(*(EXCHANGE if place == "Exchange" else (place,))).functions
    return {name: function for name, function in found.items() if function.mutability in kinds}


def writers(place: str) -> dict[str, Function]:
    return functions(place, "nonpayable", "payable")


def answer_to(world: World, there: Contract, sender: str, function: Function) -> str:
    """Why the call reverts with arguments that say nothing, or nothing. Whatever it does is undone."""
    with world.evm.undone():
        try:
            getattr(there.send(sender), function.name)(*function.blank())
        except RevertError as error:
            return error.reason
    return ""


@pytest.mark.parametrize("place", PLACES)
def test_every_function_that_writes_is_in_the_matrix(place: str) -> None:
    assert set(writers(place)) == set(GUARDED.get(place, {})) | OPEN.get(place, set())


@pytest.mark.parametrize("place", PLACES)
def test_every_guarded_function_turns_away_every_other_role(world: World, place: str) -> None:
    there = contract(world, place)
    for name, (allowed, told) in GUARDED.get(place, {}).items():
        for role, sender in senders(world).items():
            answer = answer_to(world, there, sender, writers(place)[name])
            if role in allowed:
                assert answer != told, f"{place}.{name} turns away {role}"
            else:
                assert answer == told, f"{place}.{name} tells {role} {answer!r}"


@pytest.mark.parametrize("place", PLACES)
def test_every_other_function_answers_every_role_alike(world: World, place: str) -> None:
    """Who holds no position, money or request there, whatever his role, is told the same as anybody."""
    there = contract(world, place)
    told = {told for rules in GUARDED.values() for _, told in rules.values()}
    strangers = {role: sender for role, sender in senders(world).items() if role != "trader"}
    for name in OPEN.get(place, set()):
        answers = {role: answer_to(world, there, sender, writers(place)[name]) for role, sender in strangers.items()}
        assert len(set(answers.values())) == 1, f"{place}.{name}: {answers}"
        assert not told & set(answers.values()), f"{place}.{name}: {answers}"


@pytest.mark.parametrize("place", PLACES)
def test_every_view_answers_every_role_alike(world: World, place: str) -> None:
    there = contract(world, place)
    for function in functions(place, "view", "pure").values():
        data, answers = function.encode(function.blank()), set()
        for sender in senders(world).values():
            try:
                answers.add(world.evm.call(there.address, data, sender))
            except RevertError as error:
                answers.add(error.data)
        assert len(answers) == 1, f"{place}.{function.name}"


@pytest.mark.parametrize("place", PLACES)
def test_the_page_names_every_view(place: str) -> None:
    [row] = re.findall(rf"^\| {place} \| (.*) \|$", PAGE, re.MULTILINE)
    assert row.split(", ") == [f"`{name}`" for name in sorted(functions(place, "view", "pure"), key=str.lower)]


def documented(place: str) -> dict[str, list[bool]]:
    """Function to which columns of its table in docs/roles.md are not empty."""
    section = PAGE.split(f"## {place}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    found = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        for name in re.findall(r"`(\w+)`", cells[0]):
            found[name] = [bool(cell) for cell in cells[1:]]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_the_documented_matrix_names_the_same_functions(place: str) -> None:
    assert set(documented(place)) == set(writers(place))


@pytest.mark.parametrize(("place", "roles"), COLUMNS.items())
def test_the_documented_matrix_gives_each_role_what_it_has(place: str, roles: tuple[str, ...]) -> None:
    """`anyone` stands for every role: what only some may do says so in their columns, and nowhere else."""
    for name, columns in documented(place).items():
        allowed = GUARDED[place].get(name, (None, ""))[0]
        given = {role for role, has in zip(roles, columns, strict=True) if has}
        if allowed is None:
            assert given & {"anyone", "trader"}, name
            assert given <= {"anyone", "trader"}, name
        elif allowed:
            assert given == allowed, name
        else:
            assert not given & {"anyone", "operator", "guardian", "proposer", "executor", "canceller"}, name


def test_governance_can_do_each_thing_it_is_allowed(world: World) -> None:
    rule = world.exchange.send(world.governance)
    rule.set_operator(wallet("second operator").address, True)
    assert world.exchange.call.is_operator(wallet("second operator").address)
    rule.set_guardian(wallet("second guardian").address)
    assert world.exchange.call.guardian() == wallet("second guardian").address
    with pytest.raises(RevertError, match="oracle has no code"):
        world.announced("set_oracle", wallet("nobody").address)
    world.announced("set_oracle", world.usdc.address)
    assert world.exchange.call.oracle() == world.usdc.address


def test_fees_leave_through_an_account_and_never_more_than_were_collected(world: World) -> None:
    world.trade(world.taker, world.maker, 1_000, taker_fee=350)
    fees = world.exchange.call.fees()
    assert fees == -(-2_300_000 * 1_000 * 350 // 10**6)
    rule = world.exchange.send(world.governance)
    with pytest.raises(RevertError, match="more than was collected"):
        rule.withdraw_fees(world.governance, 0, fees + 1)
    rule.withdraw_fees(world.governance, 0, fees)
    assert world.exchange.call.cash(world.governance, 0) == fees
    assert world.exchange.call.fees() == 0
