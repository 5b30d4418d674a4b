# SPDX-License-Identifier: AGPL-3.0-only
"""The trader's own transactions against the real contracts on a real node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro import eip712
from ouro.client import (
    AsyncOuroClient,
    ClientConfig,
    LocalSigner,
    Network,
    OuroClient,
    TransactionError,
    UnreachableError,
    Withdrawal,
    WrongNetworkError,
)
from ouro.client.contracts import rpc
from ouro.client.money import WithdrawalRules
from ouro.events import AllCancelled, SlotCancelled
from tests.support.anvil import OPERATOR, Node, anvil, deploy_on, record


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with anvil() as running:
        yield running


@pytest.fixture(scope="module")
def config(node: Node) -> ClientConfig:
    deployed = deploy_on(node.rpc)
    return ClientConfig.from_record({**record(deployed, 1), "rpcUrl": node.rpc_url})


@pytest.fixture
def trader() -> LocalAccount:
    return Account.create()


@pytest.fixture
def client(config: ClientConfig, trader: LocalAccount) -> Iterator[OuroClient]:
    """A trader with 1,000 USDC and gas."""
    with OuroClient(signer=trader, config=config) as client:
        client.chain.faucet("1000")
        yield client


def cash(client: OuroClient, subaccount: int = 0) -> int:
    return int(client.chain.call("Exchange", "cash", client.address, subaccount))


def cosigned(config: ClientConfig, withdrawal: Withdrawal) -> str:
    digest = eip712.digest(config.vault_domain(), "Withdrawal", withdrawal.message())
    return "0x" + eip712.sign(digest, bytes(OPERATOR.key)).hex()


def lasting(node: Node) -> int:
    """Seconds that last on a chain whose clock was moved ahead."""
    return node.rpc.now - int(datetime.now(UTC).timestamp()) + 600


def test_faucet_gives_tokens_and_gas(client):
    assert client.chain.wallet_usdc() == 1000
    assert int(client.run(rpc(client.session, "eth_getBalance", client.address, "latest")), 16) > 9 * 10**18


def test_deposit_approves_and_credits(client):
    sent = client.chain.deposit("400.25", subaccount=3)
    assert sent.gas_used > 21_000
    assert cash(client, 3) == 400_250_000
    assert client.chain.wallet_usdc() == Decimal("599.75")


def test_an_asynchronous_client_does_the_same(config, trader):
    async def play() -> Decimal:
        async with AsyncOuroClient(signer=trader, config=config) as client:
            await client.chain.faucet("1000")
            await client.chain.deposit("400")
            return await client.chain.wallet_usdc()

    assert asyncio.run(play()) == 600


def test_deposit_of_more_than_the_wallet_holds(client):
    with pytest.raises(TransactionError, match="holds 1000 USDC, less than 1001"):
        client.chain.deposit("1001")


def test_delayed_withdrawal(client, node):
    client.chain.deposit("500")
    request = client.chain.request_withdrawal("200")
    assert (request.account, request.amount, request.to) == (client.address, 200, client.address)
    assert request.ready_at > datetime.fromtimestamp(node.rpc.now, UTC)
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.execute_withdrawal(request.id)

    node.rpc.warp(client.config().deployment.withdrawal_delay + 1)
    client.chain.execute_withdrawal(request.id)
    assert client.chain.wallet_usdc() == 700
    assert cash(client) == 300_000_000
    with pytest.raises(TransactionError, match=f"no withdrawal {request.id}"):
        client.chain.withdrawal_request(request.id)


def test_delayed_withdrawal_taken_back(client):
    client.chain.deposit("500")
    request = client.chain.request_withdrawal("200")
    client.chain.cancel_withdrawal(request.id)
    with pytest.raises(TransactionError, match="no withdrawal"):
        client.chain.withdrawal_request(request.id)
    assert cash(client) == 500_000_000


def test_instant_withdrawal_needs_both_signatures(client, config, node):
    client.chain.deposit("500")
    withdrawal = client.chain.sign_withdrawal("120", expires_in_seconds=lasting(node))
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.withdraw_signed(withdrawal, withdrawal.signature)
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.withdraw_signed(replace(withdrawal, amount=130_000_000), cosigned(config, withdrawal))

    client.chain.withdraw_signed(withdrawal, cosigned(config, withdrawal))
    assert client.chain.wallet_usdc() == 620
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.withdraw_signed(withdrawal, cosigned(config, withdrawal))


def test_rules_bind_withdrawals(client, config, node):
    """One destination and an approver: nothing else is paid, also of the queue."""
    approver, safe = LocalSigner.create(), Account.create().address
    client.chain.deposit("500")
    assert client.chain.withdrawal_rules() == WithdrawalRules(None, None)
    client.chain.set_withdrawal_rules(destination=safe.lower(), approver=approver.address)
    assert client.chain.withdrawal_rules() == WithdrawalRules(safe, approver.address)

    request = client.chain.request_withdrawal("50", to=safe)
    node.rpc.warp(config.deployment.withdrawal_delay + 1)
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.execute_withdrawal(request.id)
    with OuroClient(signer=approver, config=config) as other:
        other.chain.faucet("0.000001")  # gas
        other.chain.approve_withdrawal(request.id)
    client.chain.execute_withdrawal(request.id)

    signed = client.chain.sign_withdrawal("20", to=safe, expires_in_seconds=lasting(node))
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.withdraw_signed(signed, cosigned(config, signed))
    client.chain.withdraw_signed(signed, cosigned(config, signed), approver=approver)
    assert client.chain.call("TestUSDC", "balanceOf", safe) == 70_000_000

    client.chain.set_withdrawal_rules()
    changed = client.chain.withdrawal_rules()
    assert (changed.destination, changed.next_destination) == (safe, None)
    assert changed.changes_at is not None


def test_session_keys(client, config, node):
    key, other = LocalSigner.create(), LocalSigner.create()
    assert client.chain.session_key_scope(key.address) is None
    client.chain.register_session_key(key.address, markets=["btc-usd"], budget="1000", expires_in_seconds=lasting(node))
    scope = client.chain.session_key_scope(key.address.lower())
    assert scope is not None
    assert (scope.markets, scope.budget_left, scope.revoked_at) == (("BTC-USD",), 1000, None)
    with pytest.raises(TransactionError, match="key is known"):
        client.chain.register_session_key(key.address, budget="1", expires_in_seconds=lasting(node))

    signed = client.chain.sign_session_key(
        other.address, markets=["ETH-USD", "BTC-USD"], budget="5", expires_in_seconds=lasting(node)
    )
    with OuroClient(signer=other, owner=client.address, config=config) as sender:
        sender.chain.faucet("0.000001")  # gas
        sender.chain.submit_session_key(signed)
        scope = sender.chain.session_key_scope(other.address)
        assert scope is not None
        assert scope.markets == ("ETH-USD", "BTC-USD")
        sender.chain.revoke_session_key(other.address)
        scope = sender.chain.session_key_scope(other.address)
        assert scope is not None
        assert scope.revoked_at is not None
    with pytest.raises(ValueError, match="4 markets"):
        client.chain.sign_session_key(other.address, markets=["BTC-USD"] * 5, budget="5")


def test_referrers(client):
    number = client.chain.register_referrer(subaccount=2)
    assert client.chain.call("Exchange", "referrer", number)[1:] == (2, 0)
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.claim_referral(number)


def test_a_close_needs_a_position(client):
    with pytest.raises(TransactionError, match="the contract refused: "):
        client.chain.request_close("BTC-USD", "0.01")


def test_cancels_on_chain(client):
    slot = client.chain.cancel_slot(7).event(SlotCancelled)
    everything = client.chain.cancel_all_orders(subaccount=2).event(AllCancelled)
    assert (slot.signer, slot.slot) == (client.address, 7)
    assert everything.subaccount == 2


def test_arguments_that_do_not_fit(client):
    with pytest.raises(ValueError, match="no function 'nothing'"):
        client.chain.call("Vault", "nothing")
    with pytest.raises(ValueError, match="there are: Exchange"):
        client.chain.call("Bank", "nothing")
    with pytest.raises(ValueError, match="does not take these arguments"):
        client.chain.call("Vault", "withdrawals", "seven")


def test_faucet_is_local_only(config, trader):
    elsewhere = replace(config, deployment=replace(config.deployment, chain_id=1))
    with OuroClient(signer=trader, config=elsewhere) as client, pytest.raises(TransactionError, match="local chain"):
        client.chain.faucet("1")


def test_a_node_of_another_chain_is_refused(config, trader):
    elsewhere = replace(config, deployment=replace(config.deployment, chain_id=1))
    with (
        OuroClient(signer=trader, config=elsewhere) as client,
        pytest.raises(WrongNetworkError, match="serves chain 31337, the exchange is on 1"),
    ):
        client.chain.cancel_all_orders()


def test_unreachable_node(config, trader):
    with (
        OuroClient(Network("http://127.0.0.1:9"), trader, config=config, rpc_url="http://127.0.0.1:9") as client,
        pytest.raises(UnreachableError, match="cannot reach the node"),
    ):
        client.chain.wallet_usdc()
