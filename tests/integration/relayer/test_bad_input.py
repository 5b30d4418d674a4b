# SPDX-License-Identifier: AGPL-3.0-only
"""Bad input gets a 4xx with a stable code, the field at fault and a sentence for people; never a 5xx."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.integration.relayer.harness import BTC_PRICE, Json, RelayerProcess, World
from tests.support.wire import wallet


@pytest.fixture(scope="module")
def maker(shared: World, relayer: RelayerProcess) -> LocalAccount:
    """A trader with 1,000 USDC that the relayer knows of."""
    key = shared.trader("maker", usdc=1_000)
    relayer.catch_up()
    return key


def _check(response: Any, status: int, code: str, param: str) -> str:
    body = response.json()
    assert (response.status_code, body["errorCode"]) == (status, code), body
    [error] = body["errors"]
    assert error.get("param", "") == param, body
    assert " " in error["msg"]
    message: str = error["msg"]
    return message


SIGNED_BUT_WRONG: list[tuple[str, Json, int, str, str]] = [
    ("unknown market", {"market": "DOGE-USD"}, 404, "unknown_market", "market"),
    ("off tick", {"limit_price": BTC_PRICE + 1}, 400, "off_tick", "limitPrice"),
    ("size zero", {"size": 0}, 400, "bad_size", "size"),
    ("price zero", {"limit_price": 0}, 400, "bad_price", "limitPrice"),
    ("expired", {"expiry": 1_700_000_000}, 400, "expired", "expiry"),
    ("insufficient margin", {"size": 100_000}, 422, "insufficient_margin", "size"),
    ("beyond the band", {"limit_price": 2 * BTC_PRICE}, 422, "price_band", "limitPrice"),
    ("trigger without a price", {"trigger": "AT_OR_ABOVE"}, 400, "bad_trigger", "triggerPrice"),
    ("revision without an order", {"revision": 1}, 400, "replaces_missing", "replaces"),
    ("too small", {"size": 1, "limit_price": 100}, 422, "order_too_small", "size"),
    ("fee cap", {"max_fee_ppm": 1}, 400, "fee_cap_too_low", "maxFeePpm"),
    ("one-shot with slot", {"time_in_force": "IOC", "slot": 3}, 400, "one_shot_with_slot", "slot"),
    ("reduce-only without position", {"reduce_only": True}, 422, "reduce_only_no_position", "reduceOnly"),
    ("far future", {"generation": (int(time.time()) + 3_600) * 1000}, 400, "signed_in_future", "generation"),
]


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [case[1:] for case in SIGNED_BUT_WRONG],
    ids=[case[0] for case in SIGNED_BUT_WRONG],
)
def test_signed_but_wrong(
    shared: World, relayer: RelayerProcess, maker: LocalAccount, fields: Json, status: int, code: str, param: str
) -> None:
    response = relayer.http.post("/v4/orders", json=shared.body(maker, shared.order(maker, "BUY").but(**fields)))
    _check(response, status, code, param)


def test_found_an_order_that_is_signed_for_later_is_not_written_down(
    shared: World, relayer: RelayerProcess, maker: LocalAccount
) -> None:
    """The journal would show it with its signature by the time it is good, for anybody to send."""
    ahead = shared.order(maker, "BUY").but(generation=(int(time.time()) + 600) * 1000)
    late = relayer.http.post("/v4/orders", json=shared.body(maker, ahead))
    _check(late, 400, "signed_in_future", "generation")
    assert "receipt" not in late.json()
    dear = relayer.http.post("/v4/orders", json=shared.body(maker, shared.order(maker, "BUY").but(max_fee_ppm=1)))
    assert "receipt" in dear.json()


def _without(field: str) -> Callable[[Json], None]:
    return lambda body: body["order"].pop(field)


def _with(field: str, value: Any) -> Callable[[Json], None]:
    return lambda body: body["order"].update({field: value})


TAMPERED: list[tuple[str, Callable[[Json], Any], int, str, str]] = [
    ("another price than signed", _with("limitPrice", BTC_PRICE - 100), 401, "bad_signature", "signature"),
    ("missing field", _without("expiry"), 400, "invalid_order", "expiry"),
    ("unknown field", _with("leverage", 20), 400, "invalid_order", "leverage"),
    ("negative size", _with("size", -1), 400, "invalid_order", "size"),
    ("fractional size", _with("size", 1.5), 400, "invalid_order", "size"),
    ("huge size", _with("size", 2**60), 400, "invalid_order", "size"),
    ("unknown side", _with("side", "HOLD"), 400, "invalid_order", "side"),
    ("list for a text", _with("timeInForce", ["GTT"]), 400, "invalid_order", "timeInForce"),
    ("dictionary for a text", _with("market", {"a": 1}), 400, "invalid_order", "market"),
    ("text for a flag", _with("postOnly", "yes"), 400, "invalid_order", "postOnly"),
    ("no address", _with("account", "0x1234"), 400, "invalid_order", "account"),
    ("short signature", lambda body: body.update(signature="0x1234"), 401, "bad_signature", "signature"),
    ("no hex", lambda body: body.update(signature="signed"), 401, "bad_signature", "signature"),
    ("zero signature", lambda body: body.update(signature="0x" + "00" * 65), 401, "bad_signature", "signature"),
    ("signature of ones", lambda body: body.update(signature="0x" + "ff" * 65), 401, "bad_signature", "signature"),
    ("signature missing", lambda body: body.pop("signature"), 400, "invalid_body", ""),
    ("order missing", lambda body: body.pop("order"), 400, "invalid_body", ""),
    ("unknown key", lambda body: body.update(leverage=3), 400, "invalid_body", ""),
    ("long client id", lambda body: body.update(clientId="9" * 65), 400, "bad_client_id", "clientId"),
]


@pytest.mark.parametrize(
    ("tamper", "status", "code", "param"), [case[1:] for case in TAMPERED], ids=[case[0] for case in TAMPERED]
)
def test_tampered(
    shared: World,
    relayer: RelayerProcess,
    maker: LocalAccount,
    tamper: Callable[[Json], Any],
    status: int,
    code: str,
    param: str,
) -> None:
    body = shared.signed(maker, "BUY", 10, BTC_PRICE - 200)
    tamper(body)
    _check(relayer.http.post("/v4/orders", json=body), status, code, param)


def test_a_wrong_signer_learns_who_signed_what(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    non_owner = wallet("non_owner")
    body = shared.body(non_owner, shared.order(maker, "BUY", 10, BTC_PRICE - 200))
    response = relayer.http.post("/v4/orders", json=body)
    message = _check(response, 401, "bad_signature", "signature")
    assert non_owner.address in message
    assert shared.order_id(body) in message
    assert response.json()["recovered"] == non_owner.address


def test_verify_says_why(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    good = shared.signed(maker, "BUY", 10, BTC_PRICE - 200)
    verdict = relayer.http.post("/v4/orders/verify", json=good)
    assert verdict.json() == {
        "valid": True,
        "expectedSigner": maker.address,
        "recovered": maker.address,
        "digest": shared.order_id(good),
        "reason": "",
    }
    bad = shared.body(wallet("non_owner"), shared.order(maker, "BUY", 10))
    told = relayer.http.post("/v4/orders/verify", json=bad).json()
    assert (told["valid"], told["recovered"]) == (False, wallet("non_owner").address)


RAW_BODIES: list[tuple[str, bytes, int, str]] = [
    ("empty", b"", 400, "malformed_json"),
    ("half an object", b'{"order": {', 400, "malformed_json"),
    ("not UTF-8", b'{"order": "\xff\xfe"}', 400, "malformed_json"),
    ("a lone surrogate", b'{"order": {"market": "\\ud800"}, "signature": "0x"}', 400, "malformed_json"),
    ("a list", b"[]", 400, "invalid_body"),
    ("null", b"null", 400, "invalid_body"),
    ("deep nesting", b'{"order": {"a": ' + b"[" * 7_000 + b"]" * 7_000 + b'}, "signature": ""}', 400, "malformed_json"),
    ("a huge number", b'{"order": 1' + b"0" * 5_000 + b', "signature": ""}', 400, "invalid_body"),
    ("no number", b'{"order": NaN, "signature": ""}', 400, "malformed_json"),
    ("a key twice", b'{"order": {}, "signature": "", "signature": 1}', 400, "invalid_body"),
    ("an invisible text", b'{"order": {"market": "\\u202e\\u0000"}, "signature": "0x"}', 400, "invalid_order"),
    ("too large", b'{"order": "' + b"x" * 20_000 + b'"}', 413, "body_too_large"),
]


@pytest.mark.parametrize(
    ("raw", "status", "code"), [case[1:] for case in RAW_BODIES], ids=[case[0] for case in RAW_BODIES]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v4/orders"),
        ("POST", "/v4/orders/verify"),
        ("POST", "/v4/orders/cancelAllAfter"),
        ("POST", "/v4/withdrawals"),
        ("DELETE", "/v4/orders"),
        ("DELETE", "/v4/orders/0x" + "11" * 32),
    ],
)
def test_raw_bodies(relayer: RelayerProcess, method: str, path: str, raw: bytes, status: int, code: str) -> None:
    response = relayer.http.request(method, path, content=raw)
    assert response.status_code == status, response.text
    # Bodies of other routes have other keys: they may fail on those before the nesting does.
    assert response.json()["errorCode"] in {code, "invalid_body"}


def test_unknown_orders_and_paths(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    unknown = "0x" + "11" * 32
    _check(relayer.http.get(f"/v4/orders/{unknown}"), 404, "order_not_found", "id")
    _check(relayer.http.get("/v4/orders/nonsense"), 400, "bad_order_id", "id")
    gone = relayer.http.request("DELETE", f"/v4/orders/{unknown}", json=shared.cancel(maker, unknown))
    _check(gone, 404, "order_not_found", "orderId")
    other = relayer.http.request("DELETE", f"/v4/orders/{unknown}", json=shared.cancel(maker, "0x" + "22" * 32))
    _check(other, 400, "order_id_mismatch", "orderId")
    _check(relayer.http.get("/v5/orders"), 404, "unknown_path", "")
    _check(relayer.http.put("/v4/orders", content=b"{}"), 405, "wrong_method", "")
    _check(relayer.http.get("/events", params={"from": "now"}), 400, "invalid_parameter", "from")
    _check(relayer.http.get("/events", params={"wait": "nan"}), 400, "invalid_parameter", "wait")


def test_nonces_only_rise(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    body = shared.cancel_all(maker)
    assert relayer.http.request("DELETE", "/v4/orders", json=body).status_code == 200
    _check(relayer.http.request("DELETE", "/v4/orders", json=body), 409, "stale_nonce", "nonce")


def test_refusals_leave_the_book_alone(relayer: RelayerProcess) -> None:
    """Runs after the others: nothing of all that was accepted but cancels."""
    accepted = [entry for entry in relayer.events() if entry["type"] == "order"]
    assert json.dumps(accepted) == "[]"


def test_strangers_write_nothing_to_the_journal(shared: World, relayer: RelayerProcess) -> None:
    """Keys are free: what those without a deposit sign is refused before it costs disk."""
    relayer.catch_up()
    journal = next((relayer.state / "journal").glob("*.journal"))
    unknown = "0x" + "11" * 32
    for number in range(5):
        stranger = wallet(f"stranger {number}")
        placed = relayer.http.post("/v4/orders", json=shared.signed(stranger, "BUY"))
        _check(placed, 422, "insufficient_margin", "account")
        paid = relayer.http.post("/v4/withdrawals", json=shared.withdrawal(stranger, 1))
        _check(paid, 422, "not_withdrawable", "account")
        cancels = [
            relayer.http.request("DELETE", f"/v4/orders/{unknown}", json=shared.cancel(stranger, unknown)),
            relayer.http.post("/v4/orders/cancelAllAfter", json=shared.cancel_all_after(stranger, 60)),
        ]
        for answer in cancels:
            _check(answer, 401, "not_authorised", "signature")
        nothing = relayer.http.request("DELETE", "/v4/orders", json=shared.cancel_all(stranger))
        assert (nothing.status_code, nothing.json()["cancelled"]) == (200, [])
        assert stranger.address.encode() not in journal.read_bytes()
