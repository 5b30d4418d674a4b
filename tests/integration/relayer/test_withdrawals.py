# SPDX-License-Identifier: AGPL-3.0-only
"""Instant withdrawals: co-signed when free collateral allows, and then paid by the Vault at once."""

import time

import pytest
from eth_account.signers.local import LocalAccount

from tests.integration.relayer.harness import USDC, Json, RelayerProcess, World
from tests.support.wire import wallet


@pytest.fixture
def trader(shared: World, relayer: RelayerProcess) -> LocalAccount:
    """With 1,000 USDC that the relayer has seen."""
    key = shared.trader("trader", usdc=1_000)
    relayer.catch_up()
    return key


def _refused(relayer: RelayerProcess, body: Json) -> tuple[int, str]:
    response = relayer.http.post("/v4/withdrawals", json=body)
    return response.status_code, response.json()["errorCode"]


def test_the_vault_pays_on_the_cosignature(shared: World, relayer: RelayerProcess, trader: LocalAccount) -> None:
    body = shared.withdrawal(trader, 400 * USDC)
    answer = relayer.http.post("/v4/withdrawals", json=body)
    assert answer.status_code == 200, answer.text
    fields = body["withdrawal"]
    order = ("account", "subaccount", "amount", "to", "nonce", "deadline")
    shared.system.vault.send(trader.address).withdraw_signed(
        tuple(fields[name] for name in order),
        bytes.fromhex(body["signature"][2:]),
        bytes.fromhex(answer.json()["cosignature"][2:]),
    )
    assert shared.system.usdc.call.balanceOf(trader.address) == 400 * USDC
    assert shared.system.exchange.call.cash(trader.address, 0) == 600 * USDC


def test_what_was_promised_cannot_be_promised_again(
    shared: World, relayer: RelayerProcess, trader: LocalAccount
) -> None:
    first = shared.withdrawal(trader, 700 * USDC)
    cosigned = relayer.http.post("/v4/withdrawals", json=first).json()["cosignature"]
    assert _refused(relayer, shared.withdrawal(trader, 400 * USDC)) == (422, "not_withdrawable")
    # The same one again is the same promise.
    assert relayer.http.post("/v4/withdrawals", json=first).json()["cosignature"] == cosigned
    other = shared.withdrawal(trader, 100 * USDC, nonce=first["withdrawal"]["nonce"])
    assert _refused(relayer, other) == (409, "nonce_used")


def test_promised_money_carries_no_orders(shared: World, relayer: RelayerProcess, trader: LocalAccount) -> None:
    assert relayer.http.post("/v4/withdrawals", json=shared.withdrawal(trader, 990 * USDC)).status_code == 200
    refused = relayer.http.post("/v4/orders", json=shared.signed(trader, "BUY", 1_000))
    assert (refused.status_code, refused.json()["errorCode"]) == (422, "insufficient_margin")


def test_refusals(shared: World, relayer: RelayerProcess, trader: LocalAccount) -> None:
    now = int(time.time())
    assert _refused(relayer, shared.withdrawal(trader, 1_001 * USDC)) == (422, "not_withdrawable")
    assert _refused(relayer, shared.withdrawal(trader, USDC, deadline=now + 3_600)) == (400, "bad_deadline")
    assert _refused(relayer, shared.withdrawal(trader, USDC, deadline=now - 60)) == (400, "bad_deadline")
    assert _refused(relayer, shared.withdrawal(trader, 0)) == (400, "bad_amount")
    forged = shared.withdrawal(wallet("non_owner"), USDC, account=trader.address)
    assert _refused(relayer, forged) == (401, "bad_signature")
