# SPDX-License-Identifier: AGPL-3.0-only
"""Every function that changes something, called as every role; and docs/roles.md held against the contracts (I16)."""

import re

import pytest

from tests.support.abi import Function, RevertError
from tests.support.build import ROOT
from tests.support.chain import Contract
from tests.support.wire import wallet
from tests.support.world import KEYS, World

PLACES = ("Exchange", "Vault", "PushedOracle")
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
        "transfer_ownership": ({"governance"}, "ownable: caller is not the owner"),
        "accept_ownership": (set(), "ownable_2step: caller is not the new owner"),
    },
    "Vault": {
        "set_cosigner": ({"governance"}, "only governance"),
        "set_outflow_limits": ({"governance"}, "only governance"),
        "tighten_outflow": ({"guardian", "governance"}, "only guardian or governance"),
        "stretch_queue": ({"guardian", "governance"}, "only guardian or governance"),
        "withdraw_backstop": (set(), "only the backstop"),
        "transfer_ownership": ({"governance"}, "ownable: caller is not the owner"),
        "accept_ownership": (set(), "ownable_2step: caller is not the new owner"),
    },
    "PushedOracle": {
        "set_signer": ({"governance"}, "only governance"),
        "announce": ({"governance"}, "only governance"),
        "withdraw_notice": ({"governance"}, "only governance"),
        "transfer_ownership": ({"governance"}, "ownable: caller is not the owner"),
        "accept_ownership": (set(), "ownable_2step: caller is not the new owner"),
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
}


def contract(world: World, place: str) -> Contract:
    return {"Exchange": world.exchange, "Vault": world.vault, "PushedOracle": world.oracle}[place]


def senders(world: World) -> dict[str, str]:
    return {
        "governance": world.governance,
        "guardian": KEYS.guardian.address,
        "operator": world.operator,
        "price signer": KEYS.price_signer.address,
        "trader": world.taker.address,
        "keeper": wallet("keeper").address,
        "non_owner": wallet("non-owner").address,
    }


def writers(world: World, place: str) -> dict[str, Function]:
    functions = contract(world, place).abi.functions
    return {name: f for name, f in functions.items() if f.mutability not in ("view", "pure")}


@pytest.mark.parametrize("place", PLACES)
def test_every_function_that_writes_is_in_the_matrix(world: World, place: str) -> None:
    assert set(writers(world, place)) == set(GUARDED[place]) | OPEN[place]


@pytest.mark.parametrize("place", PLACES)
def test_every_guarded_function_turns_away_every_other_role(world: World, place: str) -> None:
    for name, (allowed, told) in GUARDED[place].items():
        function = writers(world, place)[name]
        for role, sender in senders(world).items():
            with world.evm.undone():
                try:
                    getattr(contract(world, place).send(sender), name)(*function.blank())
                    answer = ""
                except RevertError as error:
                    answer = error.reason
            if role in allowed:
                assert answer != told, f"{place}.{name} turns away {role}"
            else:
                assert answer == told, f"{place}.{name} tells {role} {answer!r}"


def documented(place: str) -> dict[str, list[bool]]:
    """Function to which columns of its table in docs/roles.md are not empty."""
    text = (ROOT / "docs" / "roles.md").read_text()
    section = text.split(f"## {place}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    found = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        for name in re.findall(r"`(\w+)`", cells[0]):
            found[name] = [bool(cell) for cell in cells[1:]]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_the_documented_matrix_names_the_same_functions(world: World, place: str) -> None:
    assert set(documented(place)) | {"accept_ownership"} == set(writers(world, place))


def test_the_documented_matrix_gives_the_exchanges_roles_the_same_rights() -> None:
    """Columns: trader, operator, anyone, guardian, governance, Vault."""
    for name, columns in documented("Exchange").items():
        allowed = GUARDED["Exchange"].get(name, (None, ""))[0]
        if allowed is None:
            assert columns[0] or columns[2], name
            assert not any(columns[3:]), name
        elif allowed:
            assert (columns[1], columns[3], columns[4]) == tuple(
                role in allowed for role in ("operator", "guardian", "governance")
            ), name
            assert not columns[0], name
            assert not columns[2], name


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
