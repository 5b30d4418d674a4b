# SPDX-License-Identifier: AGPL-3.0-only
"""Keys in this process, in a file, in a wallet that gets JSON, behind a service; and what lies is found out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from ouro import addresses
from ouro.client import AsyncOuroClient, CallbackSigner, LocalSigner, OuroClient, RemoteSigner, Signer, SignerError
from ouro.client.errors import NoAccountError, WrongNetworkError
from ouro.client.networks import Network
from ouro.client.session import Session
from ouro.client.signers import checked_transaction
from tests.support.signing_service import SigningService

TRANSACTION = {
    "type": 2,
    "chainId": 31_337,
    "nonce": 3,
    "to": addresses.parse("0x" + "ab" * 20),
    "data": "0x0102",
    "value": 0,
    "gas": 100_000,
    "maxFeePerGas": 10,
    "maxPriorityFeePerGas": 1,
}


@pytest.fixture
def service(account: LocalAccount) -> Iterator[SigningService]:
    service = SigningService(account)
    yield service
    service.close()


def wallet(account: LocalAccount) -> CallbackSigner:
    """As a hardware wallet: it sees the JSON and nothing else."""

    def sign(typed: dict[str, Any]) -> bytes:
        shown = json.loads(json.dumps(typed))
        return bytes(account.sign_message(encode_typed_data(full_message=shown)).signature)

    def sign_transaction(transaction: dict[str, Any]) -> str:
        return "0x" + bytes(account.sign_transaction(transaction).raw_transaction).hex()

    return CallbackSigner(account.address.lower(), sign, sign_transaction)


def orders_of(signer: Signer, config: Any) -> tuple[str, str]:
    """The signature of one order, by a blocking and an asynchronous client."""
    options = {"client_id": "1", "slot": 5}
    with OuroClient(signer=signer, config=config) as client:
        first = client.orders.build_limit_order("BTC-USD", "BUY", "0.01", "20000", **options)

    async def other() -> Any:
        async with AsyncOuroClient(signer=signer, config=config) as client:
            return await client.orders.build_limit_order("BTC-USD", "BUY", "0.01", "20000", **options)

    second = asyncio.run(other())
    assert {first.order.account, second.order.account} == {signer.address}
    return first, second


def test_all_sign_the_same(account, config, service, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(account.key, "secret", iterations=2)))
    signers = [
        LocalSigner(account),
        LocalSigner.from_key("0x" + bytes(account.key).hex()),
        LocalSigner.from_keystore(path, "secret"),
        wallet(account),
        RemoteSigner(service.url, account.address),
    ]
    for signer in signers:
        for signed in orders_of(signer, config):
            recovered = Account._recover_hash(bytes.fromhex(signed.id[2:]), signature=signed.signature)
            assert recovered == account.address, signer
        raw = checked_transaction(signer, TRANSACTION)
        assert Account.recover_transaction(raw) == account.address
    assert service.asked == ["eth_signTypedData", "eth_signTypedData", "eth_signTransaction"]


def test_another_key_or_nonsense_is_found_out(account, config):
    stranger = Account.create()
    for answer in (wallet(stranger)._sign_typed_data, lambda _: b"short", lambda _: "no hex", lambda _: bytes(65)):
        liar = CallbackSigner(account.address, answer)
        with OuroClient(signer=liar, config=config) as client, pytest.raises(SignerError):
            client.orders.build_limit_order("BTC-USD", "BUY", "0.01", "20000")


def test_v_may_count_from_zero(account, config):
    def ledger(typed: dict[str, Any]) -> bytes:
        raw = wallet(account)._sign_typed_data(typed)
        return raw[:64] + bytes((raw[64] - 27,))

    with OuroClient(signer=CallbackSigner(account.address, ledger), config=config) as client:
        signed = client.orders.build_limit_order("BTC-USD", "BUY", "0.01", "20000")
    assert signed.signature[-2:] in ("1b", "1c")


@pytest.mark.parametrize(
    "change", [{"to": addresses.parse("0x" + "cd" * 20)}, {"value": hex(1)}, {"data": "0x03"}, {"nonce": hex(4)}]
)
def test_a_service_that_signs_another_transaction(account, service, change):
    service.change = lambda asked: {**asked, **change}
    with pytest.raises(SignerError, match=f"another {next(iter(change))}"):
        checked_transaction(RemoteSigner(service.url, account.address), TRANSACTION)


def test_a_service_that_refuses_or_is_away_keeps_its_password(account, service, config):
    service.reply = lambda _: {"error": {"code": -32000, "message": "locked"}}
    remote = RemoteSigner(service.url, account.address)
    for sentence in ("locked", "gave no answer"):
        with OuroClient(signer=remote, config=config) as client, pytest.raises(SignerError, match=sentence) as caught:
            client.orders.cancel_all()
        assert "a-secret" not in str(caught.value) + repr(remote)
        remote = RemoteSigner("http://user:a-secret@127.0.0.1:9", account.address)


def test_a_wallet_may_not_sign_transactions(account):
    with pytest.raises(SignerError, match="messages only"):
        checked_transaction(CallbackSigner(account.address, lambda _: b""), TRANSACTION)


@pytest.mark.parametrize("key", ["", "0x12", "not a key", "0x" + "00" * 32])
def test_bad_keys_are_not_repeated(key):
    with pytest.raises(SignerError) as caught:
        LocalSigner.from_key(key)
    assert not key or key not in str(caught.value)


def test_bad_key_files(tmp_path, account):
    path = tmp_path / "key.json"
    with pytest.raises(SignerError, match="cannot read"):
        LocalSigner.from_keystore(path, "x")
    path.write_text("{")
    with pytest.raises(SignerError, match="not a key file"):
        LocalSigner.from_keystore(path, "x")
    path.write_text(json.dumps(Account.encrypt(account.key, "secret", iterations=2)))
    with pytest.raises(SignerError, match="wrong password"):
        LocalSigner.from_keystore(path, "x")


def test_a_session_key_trades_for_its_owner(config):
    owner, key = Account.create().address, LocalSigner.create()
    with OuroClient(signer=key, owner=owner.lower(), config=config) as client:
        signed = client.orders.build_limit_order("BTC-USD", "BUY", "0.01", "20000", expires_in_seconds=60)
    assert signed.order.account == owner
    digest = bytes.fromhex(signed.id[2:])
    assert Account._recover_hash(digest, signature=signed.signature) == key.address


def test_without_a_signer_one_reads(config):
    with OuroClient(owner="0x" + "ab" * 20, config=config) as client:
        assert client.address.lower() == "0x" + "ab" * 20
        with pytest.raises(NoAccountError):
            client.orders.cancel_all()
    with pytest.raises(ValueError, match="owner"):
        OuroClient(owner="0x12")


@pytest.mark.parametrize("preset", [{"chain_id": 1}, {"exchange": "0x" + "11" * 20}])
def test_a_server_cannot_lead_to_another_network(account, config, run_flow, preset):
    named = Network("http://exchange.test", 31_337)
    session = Session(signer=LocalSigner(account), network=replace(named, **preset))
    with pytest.raises(WrongNetworkError, match="nothing is signed"):
        run_flow(session.config(), [(200, dict(config.record))])
    right = Network("http://exchange.test", 31_337, config.contracts.exchange.lower())
    run_flow(Session(network=right).config(), [(200, dict(config.record))])


def test_a_local_key_does_not_show_itself(account):
    signer = LocalSigner(account)
    assert signer.key[2:] not in repr(signer)
