# SPDX-License-Identifier: AGPL-3.0-only
"""The operator's key in a keystore, and behind a real signing service over HTTP that may do other than it was asked."""

import asyncio
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro import eip712
from relayer.core.inputs import ReserveWithdrawal
from relayer.settlement import Operator, OperatorKeyError, SignerError
from tests.support.signing_service import SigningService

CHAIN_ID = 31_337
KEY: LocalAccount = Account.from_key(b"\x07" * 32)
OTHER: LocalAccount = Account.from_key(b"\x08" * 32)
VAULT = eip712.Domain(CHAIN_ID, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
ITEM = ReserveWithdrawal(OTHER.address, 3, 2**63, KEY.address, 2**62 + 1, 1_800_000_000, OTHER.address)
CALL: dict[str, Any] = {
    "to": VAULT.verifying_contract,
    "data": b"\x12\x34",
    "nonce": 7,
    "gas": 1_000_000,
    "max_fee_wei": 3 * 10**9,
    "priority_fee_wei": 10**9,
}


@contextmanager
def _service(key: LocalAccount = KEY) -> Iterator[tuple[SigningService, Operator]]:
    service = SigningService(key)
    try:
        yield service, Operator.load("", "", CHAIN_ID, signer_url=service.url, address=KEY.address)
    finally:
        service.close()


def _run(made: Any) -> Any:
    """What the operator's coroutine gives; his connections belong to the loop it ran in, and end with it."""

    async def whole() -> Any:
        try:
            return await made
        finally:
            await operator.close()

    operator = inspect.getcoroutinelocals(made)["self"]
    return asyncio.run(whole())


def test_a_service_signs_the_very_same_as_a_key_in_the_process() -> None:
    local = Operator.load(KEY.key.hex(), "", CHAIN_ID)
    with _service() as (_, remote):
        assert remote.address == local.address
        assert _run(remote.sign_settlement(**CALL)) == _run(local.sign_settlement(**CALL))
    with _service() as (service, remote):
        assert _run(remote.cosign(VAULT, ITEM)) == _run(local.cosign(VAULT, ITEM))
        assert service.asked == ["eth_signTypedData"]


def test_the_wrapped_form_of_clef_is_read_too() -> None:
    with _service() as (service, remote):
        service.reply = lambda answer: {**answer, "result": {"raw": answer["result"], "tx": {}}}
        assert _run(remote.sign_settlement(**CALL)) == _run(
            Operator.load(KEY.key.hex(), "", CHAIN_ID).sign_settlement(**CALL)
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "0x" + "11" * 20),
        ("data", "0x99"),
        ("nonce", "0x8"),
        ("gas", "0x5208"),
        ("value", "0x1"),
        ("maxFeePerGas", hex(10**12)),
    ],
)
def test_a_service_that_signs_something_else_is_not_used(field: str, value: str) -> None:
    with _service() as (service, remote):
        service.change = lambda asked: {**asked, field: value}
        with pytest.raises(SignerError, match=field):
            _run(remote.sign_settlement(**CALL))


def test_a_service_with_another_key_is_not_used() -> None:
    with _service(OTHER) as (_, remote), pytest.raises(SignerError, match=OTHER.address):
        _run(remote.sign_settlement(**CALL))
    with _service(OTHER) as (_, remote), pytest.raises(SignerError, match="no such key"):
        _run(remote.cosign(VAULT, ITEM))


@pytest.mark.parametrize(
    "reply", [b"", b"<html>", {"error": {"message": "locked"}}, {"result": "0x12"}, {"result": None}, []]
)
def test_a_service_that_answers_nonsense_is_an_error_without_its_password(reply: Any) -> None:
    for made in ("sign_settlement", "cosign"):
        with _service() as (service, remote):
            service.reply = lambda _: reply
            asked = remote.sign_settlement(**CALL) if made == "sign_settlement" else remote.cosign(VAULT, ITEM)
            with pytest.raises(SignerError) as refused:
                _run(asked)
            assert "a-secret" not in str(refused.value)


def test_heads_need_a_key_of_this_process() -> None:
    with _service() as (_, remote), pytest.raises(OperatorKeyError, match="OURO_RECEIPT_KEY"):
        remote.head_signer()
    local = Operator.load(KEY.key.hex(), "", CHAIN_ID)
    assert local.head_signer().address == KEY.address


def test_a_keystore_opens_with_its_password_only(tmp_path: Path) -> None:
    keystore = tmp_path / "operator.json"
    keystore.write_text(json.dumps(Account.encrypt(KEY.key, "a good password", iterations=2)))
    assert Operator.load(str(keystore), "a good password", CHAIN_ID).address == KEY.address
    for path, password in ((str(keystore), "another"), (str(tmp_path / "none.json"), "x"), ("", ""), ("0x1234", "")):
        with pytest.raises(OperatorKeyError) as refused:
            Operator.load(path, password, CHAIN_ID)
        assert KEY.key.hex().removeprefix("0x") not in str(refused.value)
