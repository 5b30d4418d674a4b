# SPDX-License-Identifier: AGPL-3.0-only
"""Reading answers and errors, and writing query strings."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from eth_utils.address import to_checksum_address

from ouro.client import account_reads, market_reads, order_reads
from ouro.client.calls import Call, query
from ouro.client.config import ClientConfig
from ouro.client.errors import (
    BadRequestError,
    BadSignatureError,
    ConflictError,
    InsufficientMarginError,
    MarketClosedError,
    NotFoundError,
    OrderRuleError,
    RateLimitedError,
    RefusedError,
    SessionKeyError,
    SlotTakenError,
    UnavailableError,
    UnreachableError,
    refusal,
)
from ouro.client.models import PlacedOrder
from ouro.client.session import Session
from ouro.client.signers import LocalSigner

FILL = {
    "id": "12",
    "side": "BUY",
    "liquidity": "TAKER",
    "type": "LIMIT",
    "market": "BTC-USD",
    "marketType": "PERPETUAL",
    "price": "20000",
    "size": "0.0100",
    "fee": "-0.02",
    "createdAt": "2023-03-01T12:00:00.250Z",
    "createdAtHeight": "77",
    "orderId": "0xab",
    "subaccountNumber": 0,
}


def test_fills(session, run_flow):
    [fill], [call] = run_flow(
        account_reads.fills(session, market="btc-usd", limit=5, at_seq=9),
        [(200, {"fills": [FILL], "pageSize": 5, "totalResults": 1, "offset": 0})],
    )
    assert call.path == "/v4/fills"
    assert call.query == {
        "address": session.address,
        "subaccountNumber": "0",
        "market": "BTC-USD",
        "limit": "5",
        "atSeq": "9",
    }
    assert (fill.price, fill.fee, fill.created_at_height) == (Decimal(20_000), Decimal("-0.02"), 77)
    assert fill.created_at == datetime(2023, 3, 1, 12, 0, 0, 250_000, UTC)


def test_orders_are_a_bare_array(session, run_flow):
    order = {"id": "0x1", "side": "SELL", "size": "1", "price": "2", "status": "OPEN", "ticker": "BTC-USD"}
    found, [call] = run_flow(order_reads.list_orders(session, status=["OPEN", "FILLED"]), [(200, [order])])
    assert call.query["status"] == "OPEN,FILLED"
    assert found[0].total_filled == 0


def test_book_levels(session, run_flow):
    levels = {"bids": [{"price": "9", "size": "1.5"}], "asks": []}
    found, [call] = run_flow(market_reads.book(session, "btc-usd"), [(200, levels)])
    assert call.path == "/v4/orderbooks/perpetualMarket/BTC-USD"
    assert found.bids[0].size == Decimal("1.5")
    assert found.asks == ()


def test_other_peoples_accounts_need_no_key(config, run_flow):
    _, [call] = run_flow(
        account_reads.positions(Session(known_config=config), address="0xabc", status=None), [(200, {"positions": []})]
    )
    assert call.query == {"address": "0xabc", "subaccountNumber": "0"}


def test_unknown_market_in_an_answer_is_not_found(session, run_flow):
    with pytest.raises(NotFoundError, match="DOGE-USD"):
        run_flow(market_reads.get_market(session, "doge-usd"), [(200, {"markets": {}})])


def test_configuration_is_asked_once(account, config, run_flow):
    from ouro.client.building import build_limit_order

    fresh = Session(signer=LocalSigner(account))
    record = {**config.record, "markets": []}
    _, calls = run_flow(market_reads.config(fresh), [(200, record)])
    assert [call.path for call in calls] == ["/v4/config"]
    with pytest.raises(ValueError, match="BTC-USD"):
        run_flow(build_limit_order(fresh, "BTC-USD", "BUY", "1", "1"), [])


@pytest.mark.parametrize("record", [{}, {"chainId": 1}, {"markets": 7}])
def test_an_unusable_configuration_is_a_connection_error(account, run_flow, record):
    with pytest.raises(UnreachableError, match="configuration"):
        run_flow(market_reads.config(Session(signer=LocalSigner(account))), [(200, record)])


def test_configuration_gives_domains_and_markets(config: ClientConfig):
    assert config.order_domain().verifying_contract == to_checksum_address("0x" + "e1" * 20)
    assert config.vault_domain().verifying_contract == config.contracts.vault
    assert config.market("btc-usd").tick == 100


def test_query_strings():
    when = datetime(2023, 3, 1, tzinfo=UTC)
    assert query({"a": None, "b": True, "c": Decimal("1E+2"), "d": when, "e": ("X", "Y"), "f": 3, "g": "z"}) == {
        "b": "true",
        "c": "100",
        "d": "2023-03-01T00:00:00Z",
        "e": "X,Y",
        "f": "3",
        "g": "z",
    }


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "bad_size", BadRequestError),
        (400, "off_tick", OrderRuleError),
        (401, "bad_signature", BadSignatureError),
        (422, "bad_signature", BadSignatureError),
        (404, "unknown_order", NotFoundError),
        (409, "stale_nonce", ConflictError),
        (409, "slot_taken", SlotTakenError),
        (422, "insufficient_margin", InsufficientMarginError),
        (422, "something_else", OrderRuleError),
        (418, "something_else", RefusedError),
        (401, "key_revoked", SessionKeyError),
        (422, "key_budget", SessionKeyError),
        (422, "market_halted", MarketClosedError),
        (429, "volume_limited", RateLimitedError),
        (429, "rate_limited", RateLimitedError),
        (503, "settlement_backlog", UnavailableError),
    ],
)
def test_refusals_are_typed(status, code, kind):
    body = {"errors": [{"msg": "the price is off the tick", "param": "limitPrice"}], "errorCode": code}
    error = refusal(status, body)
    assert type(error) is kind
    assert (error.status, error.code, error.param) == (status, code, "limitPrice")
    assert str(error) == "the price is off the tick"


def test_retry_after_is_kept():
    error = refusal(429, {"errors": [{"msg": "too many"}]}, "7")
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 7


@pytest.mark.parametrize("content", [b"<html>gateway</html>", b"", b"null", b"[1]", b'{"errors": "no"}'])
def test_a_refusal_of_any_shape_is_a_refusal(content):
    with pytest.raises(UnavailableError, match="502"):
        Call("GET", "/v4/time", dict).parse(502, content)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b"{}", b'{"id": 1, "status": [], "seq": 1}'])
def test_an_answer_of_another_shape_is_a_connection_error(content):
    with pytest.raises(UnreachableError, match="POST /v4/orders"):
        Call("POST", "/v4/orders", PlacedOrder).parse(200, content)
