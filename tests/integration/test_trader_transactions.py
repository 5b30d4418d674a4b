# SPDX-License-Identifier: AGPL-3.0-only
"""The trader's own transactions against the real contracts on a real node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro import eip712
from ouro.chain import Chain, TransactionError
from ouro.client import ClientConfig, UnreachableError, Withdrawal
from ouro.client.session import Session
from ouro.client.trading import sign_withdrawal
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
def chain(config: ClientConfig, trader: LocalAccount) -> Chain:
    """A trader with 1,000 USDC and gas."""
    chain = Chain(config, trader)
    chain.faucet("1000")
    return chain


def cash(chain: Chain, subaccount: int = 0) -> int:
    return int(chain.exchange.functions.cash(chain.account.address, subaccount).call())


def signed_withdrawal(config: ClientConfig, trader: LocalAccount, amount: str, seconds: int = 600) -> Withdrawal:
    flow = sign_withdrawal(Session(account=trader, known_config=config), amount, expires_in_seconds=seconds)
    with pytest.raises(StopIteration) as done:
        next(flow)
    withdrawal: Withdrawal = done.value.value
    return withdrawal


def cosigned(config: ClientConfig, withdrawal: Withdrawal) -> str:
    digest = eip712.digest(config.vault_domain(), "Withdrawal", withdrawal.message())
    return "0x" + eip712.sign(digest, bytes(OPERATOR.key)).hex()


def test_faucet_gives_tokens_and_gas(chain):
    assert chain.wallet_usdc() == 1000
    assert chain.web3.eth.get_balance(chain.account.address) > 9 * 10**18


def test_deposit_approves_and_credits(chain):
    sent = chain.deposit("400.25", subaccount=3)
    assert sent.receipt["status"] == 1
    assert cash(chain, 3) == 400_250_000
    assert chain.wallet_usdc() == Decimal("599.75")


def test_deposit_of_more_than_the_wallet_holds(chain):
    with pytest.raises(TransactionError, match="holds 1000 USDC, less than 1001"):
        chain.deposit("1001")


def test_delayed_withdrawal(chain, node):
    chain.deposit("500")
    request = chain.request_withdrawal("200")
    assert (request.account, request.amount, request.to) == (chain.account.address, 200_000_000, chain.account.address)
    assert request.ready_at > datetime.fromtimestamp(node.rpc.now, UTC)
    with pytest.raises(TransactionError, match="the contract refused: "):
        chain.execute_withdrawal(request.id)

    node.rpc.warp(chain.config.deployment.withdrawal_delay + 1)
    chain.execute_withdrawal(request.id)
    assert chain.wallet_usdc() == 700
    assert cash(chain) == 300_000_000
    with pytest.raises(TransactionError, match=f"no withdrawal {request.id}"):
        chain.withdrawal(request.id)


def test_delayed_withdrawal_taken_back(chain):
    chain.deposit("500")
    request = chain.request_withdrawal("200")
    chain.cancel_withdrawal(request.id)
    with pytest.raises(TransactionError, match="no withdrawal"):
        chain.withdrawal(request.id)
    assert cash(chain) == 500_000_000


def test_instant_withdrawal_needs_both_signatures(chain, config, trader, node):
    chain.deposit("500")
    seconds = node.rpc.now - int(datetime.now(UTC).timestamp()) + 600
    withdrawal = signed_withdrawal(config, trader, "120", seconds)
    with pytest.raises(TransactionError, match="the contract refused: "):
        chain.withdraw_signed(withdrawal, withdrawal.signature)
    with pytest.raises(TransactionError, match="the contract refused: "):
        chain.withdraw_signed(replace(withdrawal, amount=130_000_000), cosigned(config, withdrawal))

    chain.withdraw_signed(withdrawal, cosigned(config, withdrawal))
    assert chain.wallet_usdc() == 620
    with pytest.raises(TransactionError, match="the contract refused: "):
        chain.withdraw_signed(withdrawal, cosigned(config, withdrawal))


def test_cancels_on_chain(chain):
    slot_stamp = chain.cancel_slot(7)
    all_stamp = chain.cancel_all(subaccount=2)
    [slot] = chain.exchange.events.SlotCancelled().process_receipt(slot_stamp.receipt)
    [everything] = chain.exchange.events.AllCancelled().process_receipt(all_stamp.receipt)
    assert (slot["args"]["signer"], slot["args"]["slot"]) == (chain.account.address, 7)
    assert everything["args"]["subaccount"] == 2


def test_faucet_is_local_only(config, trader):
    elsewhere = replace(config, deployment=replace(config.deployment, chain_id=1))
    with pytest.raises(TransactionError, match="local chain only"):
        Chain(elsewhere, trader).faucet("1")


def test_a_node_of_another_chain_is_refused(config, trader):
    elsewhere = replace(config, deployment=replace(config.deployment, chain_id=1))
    with pytest.raises(TransactionError, match="serves chain 31337, the exchange is on 1"):
        Chain(elsewhere, trader).cancel_all()


def test_unreachable_node(config, trader):
    with pytest.raises(UnreachableError, match="cannot reach the node"):
        Chain(config, trader, rpc_url="http://127.0.0.1:9").wallet_usdc()
