# SPDX-License-Identifier: AGPL-3.0-only
"""What gets signed and sent: order fields, worst prices, slot and nonce retries, withdrawals."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ouro import eip712
from ouro.client import amounts, building, cancelling, money, placing
from ouro.client.config import ClientConfig
from ouro.client.errors import InsufficientMarginError, NoAccountError, SlotTakenError
from ouro.client.session import Session
from ouro.client.signers import LocalSigner
from ouro.markets import Market
from ouro.orders import Order, Side, TimeInForce

PLACED = (201, {"id": "0x01", "clientId": "7", "status": "OPEN", "filled": "25", "seq": 5})
SLOT_TAKEN = (
    409,
    {
        "errors": [{"msg": "slot 9 holds a live order", "param": "slot"}],
        "errorCode": "slot_taken",
        "freeSlots": [41, 42],
    },
)


@pytest.fixture
def btc(config: ClientConfig) -> Market:
    return config.market("BTC-USD")


def test_limit_order_fields(session, run_flow):
    before = time.time()
    signed, calls = run_flow(
        building.build_limit_order(
            session, "btc-usd", "buy", "0.0123", "20000", post_only=True, expires_in_seconds=600, client_id="5"
        ),
        [],
    )
    order: Order = signed.order
    assert calls == []
    assert (order.market, order.side, order.size, order.limit_price) == ("BTC-USD", Side.BUY, 123, 2_000_000)
    assert order.time_in_force is TimeInForce.GTT
    assert order.post_only
    assert not order.reduce_only
    assert order.account == session.address
    assert 1 <= order.slot <= 65_535
    assert order.generation >= int(before * 1000)
    assert order.expiry == order.generation // 1000 + 600 + 60, "shown expiry plus the settlement window"
    assert signed.client_id == "5"


def test_id_is_the_digest_an_ordinary_signer_signs(session, account, config, run_flow):
    signed, _ = run_flow(building.build_limit_order(session, "BTC-USD", "SELL", "1", "20000"), [])
    typed = eip712.typed_data(config.order_domain(), "Order", signed.order.message())
    by_eth_account = account.sign_typed_data(full_message=typed)
    assert signed.id == "0x" + bytes(by_eth_account.message_hash).hex()
    assert Account.recover_message(encode_typed_data(full_message=typed), signature=signed.signature) == account.address


@pytest.mark.parametrize("life", ["IOC", "FOK"])
def test_one_shot_orders_have_no_slot(session, run_flow, life):
    signed, _ = run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "1", "20000", time_in_force=life), [])
    assert signed.order.slot == 0


def test_generations_increase(session, run_flow):
    orders = [run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "1", "20000"), [])[0] for _ in range(20)]
    generations = [signed.order.generation for signed in orders]
    assert generations == sorted(set(generations))
    assert len({signed.order.slot for signed in orders}) == 20
    assert len({signed.id for signed in orders}) == 20


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"price": "20000.5"}, "steps of 1"),
        ({"price": "twenty"}, "price 'twenty' is not a decimal number"),
        ({"price": "NaN"}, "not a finite number"),
        ({"size": "0.00001"}, "."),
        ({"size": 0.1}, "size is a float"),
        ({"market": "DOGE-USD"}, "there are: BTC-USD"),
        ({"side": "hold"}, "hold|HOLD"),
        ({"expires_in_seconds": 0}, "lives between"),
        ({"expires_in_seconds": 90 * 86_400}, "lives between"),
    ],
)
def test_impossible_orders_are_not_signed(strict, run_flow, changes, complaint):
    wanted = {"market": "BTC-USD", "side": "BUY", "size": "0.1", "price": "20000", **changes}
    with pytest.raises(ValueError, match=complaint):
        run_flow(building.build_limit_order(strict, **wanted), [])


def test_without_account_nothing_is_signed(config, run_flow):
    with pytest.raises(NoAccountError):
        run_flow(building.build_limit_order(Session(known_config=config), "BTC-USD", "BUY", "1", "20000"), [])


def test_place_sends_the_message_and_signature(session, run_flow):
    placed, [call] = run_flow(placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000"), [PLACED])
    assert (call.method, call.path) == ("POST", "/v4/orders")
    assert set(call.body) == {"order", "signature", "clientId"}
    assert call.body["order"]["limitPrice"] == 2_000_000
    assert int(call.body["clientId"]) < 1 << 32
    assert len(bytes.fromhex(call.body["signature"][2:])) == 65
    assert (placed.status, placed.seq, placed.filled) == ("OPEN", 5, Decimal("0.0025"))


def test_place_takes_an_offered_slot_when_its_own_is_taken(session, run_flow):
    _, [first, second] = run_flow(
        placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000"), [SLOT_TAKEN, PLACED]
    )
    assert second.body["order"]["slot"] in (41, 42)
    assert first.body["order"]["generation"] < second.body["order"]["generation"]


def test_place_gives_up_after_some_taken_slots(session, run_flow):
    with pytest.raises(SlotTakenError, match="live order"):
        run_flow(placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000"), [SLOT_TAKEN] * 5)


def test_other_refusals_are_not_retried(session, run_flow):
    refusal = (422, {"errors": [{"msg": "needs 10 USDC more"}], "errorCode": "insufficient_margin"})
    with pytest.raises(InsufficientMarginError, match="needs 10 USDC more"):
        run_flow(placing.place_limit_order(session, "BTC-USD", "BUY", "0.01", "20000"), [refusal])


def shown(index_price: str) -> tuple[int, object]:
    market = {
        "ticker": "BTC-USD",
        "status": "ACTIVE",
        "tickSize": "1",
        "stepSize": "0.0001",
        "oraclePrice": index_price,
    }
    return 200, {"markets": {"BTC-USD": market}}


def test_market_order_starts_from_the_opposite_side(session, run_flow):
    levels = 200, {"bids": [{"price": "19990", "size": "1"}], "asks": [{"price": "20010", "size": "1"}]}
    bought, _ = run_flow(
        building.build_market_order(session, "BTC-USD", "BUY", "0.01", "0.01"), [levels, shown("20000")]
    )
    sold, _ = run_flow(
        building.build_market_order(session, "BTC-USD", "SELL", "0.01", "0.01"), [levels, shown("20000")]
    )
    assert bought.order.limit_price == 2_021_000, "20010 + 1% = 20210.1, down to the tick"
    assert sold.order.limit_price == 1_979_100, "19990 - 1% = 19790.1, up to the tick"
    assert bought.order.time_in_force is TimeInForce.IOC
    assert bought.order.slot == 0


def test_market_order_on_an_empty_side_starts_from_the_index_price(session, run_flow):
    empty = 200, {"bids": [], "asks": []}
    signed, [_, asked] = run_flow(
        building.build_market_order(session, "BTC-USD", "BUY", "0.01", "0"), [empty, shown("20000.55")]
    )
    assert asked.query == {"ticker": "BTC-USD"}
    assert signed.order.limit_price == 2_000_000


@pytest.mark.parametrize(
    ("side", "reference", "slippage", "limit"),
    [
        (Side.BUY, "20000", "0", 2_000_000),
        (Side.SELL, "20000", "0", 2_000_000),
        (Side.BUY, "20000", "0.00001", 2_000_000),
        (Side.SELL, "20000", "0.00001", 2_000_000),
        (Side.BUY, "20000", "0.005", 2_010_000),
        (Side.SELL, "20000", "0.005", 1_990_000),
        # The band of 10% around the index price of 20,000.55 ends first.
        (Side.BUY, "20000", "0.5", 2_200_000),
        (Side.SELL, "20000", "0.5", 1_800_100),
    ],
)
def test_worst_price(btc, side, reference, slippage, limit):
    worst = amounts.beyond(btc, side, Decimal(reference) * 100, slippage)
    assert amounts.within_band(btc, side, worst, Decimal("2000055")) == limit


@pytest.mark.parametrize("slippage", ["1", "-0.01", "5"])
def test_slippage_is_a_fraction(btc, slippage):
    with pytest.raises(ValueError, match="fraction"):
        amounts.beyond(btc, Side.BUY, 2_000_000, slippage)


def recovered(config: ClientConfig, primary_type: str, message: dict[str, object], signature: str) -> str:
    domain = config.vault_domain() if primary_type == "Withdrawal" else config.order_domain()
    typed = eip712.typed_data(domain, primary_type, message)
    return str(Account.recover_message(encode_typed_data(full_message=typed), signature=signature))


def test_cancel_is_signed(session, account, config, run_flow):
    order_id = "0x" + "5a" * 32
    done, [call] = run_flow(cancelling.cancel(session, order_id, subaccount=3), [(200, {"id": order_id, "seq": 8})])
    assert (call.method, call.path, done.seq) == ("DELETE", f"/v4/orders/{order_id}", 8)
    message = call.body["cancel"]
    assert {name: message[name] for name in ("account", "subaccount", "orderId")} == {
        "account": account.address,
        "subaccount": 3,
        "orderId": order_id,
    }
    assert recovered(config, "CancelOrder", message, call.body["signature"]) == account.address


def test_cancel_by_client_id_is_signed(session, account, config, run_flow):
    _, [call] = run_flow(cancelling.cancel_by_client_id(session, "grid-7", subaccount=3), [(200, {"seq": 8})])
    message = call.body["cancelByClientId"]
    assert (call.method, call.path) == ("DELETE", "/v4/orders")
    assert (message["clientId"], message["subaccount"]) == ("grid-7", 3)
    assert recovered(config, "CancelByClientId", message, call.body["signature"]) == account.address


def test_cancel_all_is_signed(session, account, config, run_flow):
    _, [everywhere] = run_flow(cancelling.cancel_all(session), [(200, {"seq": 8})])
    _, [one_market] = run_flow(cancelling.cancel_all(session, "btc-usd"), [(200, {"seq": 9})])
    assert everywhere.body["cancelAll"]["market"] == ""
    assert one_market.body["cancelAll"]["market"] == "BTC-USD"
    assert one_market.body["cancelAll"]["nonce"] > everywhere.body["cancelAll"]["nonce"]
    assert recovered(config, "CancelAll", one_market.body["cancelAll"], one_market.body["signature"]) == account.address


def test_cancel_all_after_is_signed(session, account, config, run_flow):
    _, [call] = run_flow(cancelling.cancel_all_after(session, 30), [(200, {"seq": 8})])
    message = call.body["cancelAllAfter"]
    assert (call.method, call.path) == ("POST", "/v4/orders/cancelAllAfter")
    assert message["timeoutSeconds"] == 30
    assert recovered(config, "CancelAllAfter", message, call.body["signature"]) == account.address


def test_withdrawal_is_signed_for_the_vault(session, account, config, run_flow):
    before = int(time.time())
    withdrawal, _ = run_flow(money.sign_withdrawal(session, "12.5", expires_in_seconds=300), [])
    assert withdrawal.amount == 12_500_000
    assert withdrawal.to == account.address
    assert before + 300 <= withdrawal.deadline <= before + 302
    assert recovered(config, "Withdrawal", withdrawal.message(), withdrawal.signature) == account.address

    answer, [call] = run_flow(
        money.request_cosignature(session, withdrawal), [(200, {"cosignature": "0xff", "seq": 4})]
    )
    assert call.body == {"withdrawal": withdrawal.message(), "signature": withdrawal.signature}
    assert answer.cosignature == "0xff"


def test_withdrawal_finer_than_micro_usdc_is_refused(session, run_flow):
    with pytest.raises(ValueError):  # noqa: PT011 - the wording belongs to ouro.units
        run_flow(money.sign_withdrawal(session, "0.0000001"), [])


def test_what_a_session_key_signs_ends_with_the_key(config, run_flow):
    key, owner = LocalSigner.create(), Account.create().address
    listed = {"address": owner, "markets": [], "budget": "1", "status": "ACTIVE", "expiresAt": "2100-01-01T00:00:00Z"}
    session = Session(signer=key, owner=owner, known_config=config)
    ends_at = int(time.time()) + 7_200
    shown_keys = [
        {**listed, "key": owner},
        {**listed, "key": key.address, "expiresAt": datetime.fromtimestamp(ends_at, UTC).isoformat()},
    ]
    build = partial(building.build_limit_order, session, "BTC-USD", "BUY", "1", "20000")
    signed, [asked] = run_flow(build(), [(200, {"sessionKeys": shown_keys})])
    assert (asked.path, asked.query["address"]) == ("/v4/sessionKeys", owner)
    assert ends_at - 3 <= signed.order.expiry <= ends_at
    again, calls = run_flow(build())
    assert calls == []
    assert again.order.expiry <= ends_at

    unknown = Session(signer=key, owner=owner, known_config=config)
    refused = (404, {"errors": [{"msg": "no such path"}], "errorCode": "unknown_path"})
    long, _ = run_flow(building.build_limit_order(unknown, "BTC-USD", "BUY", "1", "20000"), [refused])
    assert long.order.expiry > ends_at
