# SPDX-License-Identifier: AGPL-3.0-only
"""Whoever follows the events alone knows every role, every parameter and every amount that came or went."""

from dataclasses import replace
from typing import Any

from tests.support.chain import Contract, Receipt, deploy
from tests.support.system import BTC
from tests.support.wire import wallet
from tests.support.world import NOTICE, USDC, World

NEW = wallet("newcomer").address


def told(receipt: Receipt, *contracts: Contract) -> list[tuple[str, dict[str, Any]]]:
    """Every event of the contracts, in order."""
    decoders = {contract.address: contract.abi for contract in contracts}
    logs = [decoders[log.address].decode_log(log) for log in receipt.raw_logs if log.address in decoders]
    return [(log.name, log.args) for log in logs if log is not None]


def test_who_has_a_role(world: World) -> None:
    exchange, vault = world.exchange.send(world.governance), world.vault.send(world.governance)
    for allowed in (True, False):
        assert told(exchange.set_operator(NEW, allowed), world.exchange) == [
            ("OperatorSet", {"operator": NEW, "allowed": allowed})
        ]
        assert told(vault.set_cosigner(NEW, allowed), world.vault) == [
            ("CosignerSet", {"cosigner": NEW, "allowed": allowed})
        ]
    assert told(exchange.set_guardian(NEW), world.exchange) == [("GuardianSet", {"guardian": NEW})]
    backstop = deploy(world.evm, world.governance, "Backstop", world.vault.address).address
    assert told(exchange.set_backstop(backstop), world.exchange) == [("BackstopSet", {"backstop": backstop})]


def test_who_says_prices(world: World) -> None:
    oracle = deploy(world.evm, world.governance, "PushedOracle", NEW).address
    for contract, name, address, event in (
        (world.exchange, "set_oracle", oracle, ("OracleSet", {"oracle": oracle})),
        (world.oracle, "set_signer", NEW, ("SignerSet", {"signer": NEW})),
    ):
        sender = contract.send(world.governance)
        sender.announce(contract.data(name, address))
        world.warp(NOTICE)
        assert event in told(getattr(sender, name)(address), contract)


def test_what_a_market_is() -> None:
    listing = replace(
        BTC, tick=7, imf=60_001, mmf=40_003, band=90_005, max_open_interest=10_007, max_price_age=109,
        liquidation_floor=6_011,
    )  # fmt: skip
    world = World((BTC,))
    rule = world.exchange.send(world.governance)
    terms = dict(zip(
        ("tick", "imf", "mmf", "band", "max_open_interest", "max_price_age", "liquidation_floor"),
        listing.parameters(), strict=True,
    ))  # fmt: skip
    new = replace(listing, id=3, ticker="NEW-USD", size_decimals=2)
    assert told(rule.list_market(*new.arguments()), world.exchange) == [
        ("MarketListed", {"market": 3, "ticker": "NEW-USD", "size_decimals": 2, "price_decimals": 4, "tick": 7}),
        ("MarketChanged", {"market": 3, **terms, "state": 1}),
    ]
    assert world.exchange.call.market(3) == ("NEW-USD", 2, 4, *listing.parameters(), 1)
    now = replace(new, tick=8, imf=60_002, mmf=40_001, max_price_age=110)
    changed = terms | {"tick": 8, "imf": 60_002, "mmf": 40_001, "max_price_age": 110}
    for act, change in (
        (lambda: rule.set_market(3, *now.parameters(), 2), {"state": 2}),
        (lambda: rule.lower_cap(3, 9_000), {"state": 2, "max_open_interest": 9_000}),
        (lambda: rule.tighten(3, 3), {"state": 3, "max_open_interest": 9_000}),
    ):
        assert told(act(), world.exchange) == [("MarketChanged", {"market": 3, **changed, **change})]


def test_what_came_and_went(world: World) -> None:
    owner, to = world.taker.address, wallet("recipient").address
    world.usdc.send(owner).mint(owner, 5 * USDC)
    world.usdc.send(owner).approve(world.vault.address, 5 * USDC)
    assert ("Donated", {"payer": owner, "amount": 5 * USDC}) in told(
        world.vault.send(owner).donate(5 * USDC), world.vault
    )
    world.vault.send(owner).request_withdrawal(0, USDC, to)
    assert told(world.vault.send(owner).cancel_withdrawal(1), world.vault) == [
        ("WithdrawalCancelled", {"id": 1, "account": owner})
    ]
    world.vault.send(owner).request_withdrawal(0, USDC, to)
    world.warp(120)
    debited = {"account": owner, "subaccount": 0, "amount": USDC, "cash": 99_999 * USDC}
    assert told(world.vault.send(NEW).execute_withdrawal(2), world.exchange) == [("Debited", debited)]


def test_what_governance_takes(world: World) -> None:
    world.trade(world.taker, world.maker, 1_000, taker_fee=350)
    receipt = world.exchange.send(world.governance).withdraw_fees(NEW, 3, 100)
    assert told(receipt, world.exchange) == [
        ("FeesWithdrawn", {"account": NEW, "subaccount": 3, "amount": 100}),
        ("Credited", {"account": NEW, "subaccount": 3, "amount": 100, "cash": 100}),
    ]
