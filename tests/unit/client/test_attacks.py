# SPDX-License-Identifier: AGPL-3.0-only
"""What a lying exchange, or a lying node, was tried to make a client do; and what a client says of its secrets."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ouro import addresses
from ouro.client import LocalSigner, Network, OuroClient, UnreachableError, contracts, money, placing
from ouro.client.calls import Call
from ouro.client.config import ClientConfig
from ouro.client.errors import SlotTakenError, TransactionError, WrongNetworkError
from ouro.client.session import Session
from ouro.urls import shown
from tests.unit.client.conftest import CONFIG

FOREIGN = addresses.parse("0x" + "66" * 20)
SLOT_TAKEN = 409, {"errors": [{"msg": "a live order uses it"}], "errorCode": "slot_taken", "freeSlots": [41]}


def record(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(CONFIG) | changes


def test_a_slot_that_is_said_to_be_in_use_again_and_again_gets_two_signatures_at_most(session, run_flow):
    asked = placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000")
    with pytest.raises(SlotTakenError):
        run_flow(asked, [SLOT_TAKEN] * 2)


def test_an_immediate_order_has_no_slot_and_is_signed_once(session, run_flow):
    asked = placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000", time_in_force="IOC")
    with pytest.raises(SlotTakenError):
        run_flow(asked, [SLOT_TAKEN])


@pytest.mark.parametrize("name", ["exchange", "vault", "usdc", "oracle"])
def test_other_contracts_than_those_of_the_record_get_no_signature_and_no_money(account, run_flow, name):
    known = ClientConfig.from_record(record()).deployment
    session = Session(LocalSigner(account), network=Network("http://exchange.test", deployment=known))
    told = record(contracts=CONFIG["contracts"] | {name: FOREIGN})
    with pytest.raises(WrongNetworkError, match=f"another {name} than the deployment record"):
        run_flow(session.config(), [(200, told)])
    run_flow(session.config(), [(200, record())])


@pytest.mark.parametrize("units", [{"sizeDecimals": 3, "priceDecimals": 3}, {"id": 2}])
def test_other_units_than_those_of_the_record_get_no_signature(account, run_flow, units):
    known = ClientConfig.from_record(record()).deployment
    session = Session(LocalSigner(account), network=Network("http://exchange.test", deployment=known))
    told = record(markets=[CONFIG["markets"][0] | units])
    with pytest.raises(WrongNetworkError, match="another BTC-USD"):
        run_flow(session.config(), [(200, told)])


@pytest.mark.parametrize("units", [{"sizeDecimals": 6}, {"tick": 0}])
def test_units_that_the_protocol_does_not_know_get_no_signature(account, run_flow, units):
    session = Session(LocalSigner(account), network=Network("http://exchange.test"))
    with pytest.raises(UnreachableError, match="units of BTC-USD"):
        run_flow(session.config(), [(200, record(markets=[CONFIG["markets"][0] | units]))])


@pytest.mark.parametrize(("gas", "tip", "base"), [(10**9, 10**9, 1), (100_000, 10**15, 1), (100_000, 1, 10**15)])
def test_a_node_that_asks_for_a_fortune_gets_no_transaction(session, run_flow, gas, tip, base):
    answers = [hex(31_337), hex(gas), "0x0", hex(tip), {"baseFeePerGas": hex(base)}]
    asked = contracts.send(session, "Vault", "cancel_withdrawal", 1)
    with pytest.raises(TransactionError, match="nothing is sent"):
        run_flow(asked, [(200, {"result": answer}) for answer in answers])


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://user:secret@node.example:8545/v3/secret?key=secret", "https://node.example:8545"),
        ("wss://node.example/secret", "wss://node.example"),
        ("http://[::1]:8545/secret", "http://[::1]:8545"),
        ("secret", "a URL without a host"),
        ("https://node.example:secret", "a URL that cannot be read"),
    ],
)
def test_what_is_shown_of_a_url_is_no_secret(url, seen):
    assert shown(url) == seen


def test_errors_do_not_repeat_the_keys_of_a_node(account):
    secret = "http://user:secret@127.0.0.1:9/v3/secret?key=secret"
    with OuroClient(Network(secret), LocalSigner(account)) as client:
        for path in ("/v4/config", secret):
            with pytest.raises(UnreachableError) as raised:
                client._carry_out(Call("POST", path, object, body={}))
            assert "secret" not in str(raised.value)
            assert "127.0.0.1:9" in str(raised.value)


@pytest.mark.parametrize("to", ["0x" + "00" * 20, *CONFIG["contracts"].values()])
def test_no_withdrawal_goes_where_nobody_gets_it_back(session, run_flow, to):
    for asked in (money.sign_withdrawal(session, "5", to=to), money.request_withdrawal(session, "5", to=to)):
        with pytest.raises(ValueError, match="is lost"):
            run_flow(asked, [])
    signed, _ = run_flow(money.sign_withdrawal(session, "5", to=FOREIGN), [])
    assert signed.to == FOREIGN
