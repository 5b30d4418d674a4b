# SPDX-License-Identifier: Apache-2.0
"""What both ccxt classes share: what they can do, where they connect, whose errors they raise, how records read.

Numbers are ccxt's, that is floats, only on ccxt's side: what is signed is made of the decimal digits of a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ccxt.base import errors as ccxt_errors

from ouro.client import errors
from ouro.client.networks import network
from ouro.client.signers import LocalSigner

C = TypeVar("C")

_CAN = (
    "cancelAllOrders",
    "cancelAllOrdersAfter",
    "cancelOrder",
    "cancelOrders",
    "createMarketOrder",
    "createOrder",
    "createOrders",
    "createReduceOnlyOrder",
    "createStopLossOrder",
    "createTakeProfitOrder",
    "createTriggerOrder",
    "editOrder",
    "fetchBalance",
    "fetchFundingRate",
    "fetchFundingRates",
    "fetchMyTrades",
    "fetchTicker",
    "fetchTickers",
)
_CANNOT = ("transfer", "withdraw", "sandbox")
"""Of `ccxt.dydx` for the Cosmos chain; here money moves by `sdk.chain`."""

_ERRORS: tuple[tuple[type[Exception], type[Exception]], ...] = (
    (errors.InsufficientMarginError, ccxt_errors.InsufficientFunds),
    (errors.BadSignatureError, ccxt_errors.AuthenticationError),
    (errors.SessionKeyError, ccxt_errors.PermissionDenied),
    (errors.NoAccountError, ccxt_errors.AuthenticationError),
    (errors.SignerError, ccxt_errors.AuthenticationError),
    (errors.WrongNetworkError, ccxt_errors.AuthenticationError),
    (errors.RateLimitedError, ccxt_errors.RateLimitExceeded),
    (errors.MarketClosedError, ccxt_errors.MarketClosed),
    (errors.UnavailableError, ccxt_errors.ExchangeNotAvailable),
    (errors.UnreachableError, ccxt_errors.NetworkError),
    (errors.OrderRuleError, ccxt_errors.InvalidOrder),
    (errors.ConflictError, ccxt_errors.InvalidOrder),
    (errors.BadRequestError, ccxt_errors.BadRequest),
    (ValueError, ccxt_errors.InvalidOrder),
)
_BY_CODE = {
    "order_not_found": ccxt_errors.OrderNotFound,
    "unknown_order": ccxt_errors.OrderNotFound,
    "order_not_open": ccxt_errors.OrderNotFound,
    "unknown_market": ccxt_errors.BadSymbol,
    "post_only_would_cross": ccxt_errors.OrderImmediatelyFillable,
    "fok_unfillable": ccxt_errors.OrderNotFillable,
    "client_id_reused": ccxt_errors.DuplicateOrderId,
}
_STATUSES = {"OPEN": "open", "UNTRIGGERED": "open", "FILLED": "closed", "CANCELED": "canceled"}


class Dialect:
    """Mixed into `ccxt.dydx` and `ccxt.pro.dydx`.

    Configuration: `privateKey` (hex) or `options.signer` (any `Signer` of the SDK); `walletAddress` when the signer is
    a session key of that account; `options.url` for another exchange than `OURO_URL` or the local stack;
    `options.subaccountNumber`.
    """

    newest_seq: int | None = None
    """The exchange's newest record of a write of ours."""

    def describe(self) -> Any:
        """As ccxt asks."""
        return self.deep_extend(  # type: ignore[attr-defined]
            super().describe(),  # type: ignore[misc]
            {
                "id": "ouro",
                "name": "Ouro",
                "countries": [],
                "certified": False,
                "has": dict.fromkeys(_CAN, True) | dict.fromkeys(_CANNOT, False),
                "options": {"url": None, "signer": None, "subaccountNumber": 0, "slippage": "0.01"},
            },
        )

    def connect(self, kind: type[C]) -> C:
        """The SDK's client, and the address of reads."""
        mine: Any = self
        where = network(mine.options.get("url"))
        mine.urls["api"]["indexer"] = f"{where.url}/v4"
        mine.urls["api"]["ws"] = f"ws{where.url.removeprefix('http')}/v4/ws"
        signer = mine.options.get("signer")
        if signer is None and mine.privateKey:
            with self.own_errors():
                signer = LocalSigner.from_key(mine.privateKey)
        owner = mine.walletAddress or None
        if owner is None and signer is not None:
            mine.walletAddress = signer.address
        return kind(where, signer, owner=owner)  # type: ignore[call-arg]

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Raise ccxt's exceptions for the SDK's."""
        try:
            yield
        except (errors.ClientError, ValueError) as error:
            raise self.translated(error) from error

    def translated(self, error: Exception) -> Exception:
        """ccxt's exception for one of the SDK's."""
        code = getattr(error, "code", "")
        kind = _BY_CODE.get(code)
        if kind is None:
            kind = next((theirs for ours, theirs in _ERRORS if isinstance(error, ours)), ccxt_errors.ExchangeError)
        return kind(f"ouro {code + ': ' if code else ''}{error}")

    def handle_errors(
        self,
        status: int,
        reason: str,  # noqa: ARG002
        url: str,  # noqa: ARG002
        method: str,  # noqa: ARG002
        headers: Any,
        body: str,  # noqa: ARG002
        response: Any,
        *_: Any,
    ) -> None:
        """Of reads by ccxt's own connection."""
        if status >= 400 and isinstance(response, dict) and "errorCode" in response:
            raise self.translated(errors.refusal(status, response, (headers or {}).get("Retry-After")))

    # Records

    def placed_order(self, placed: Any, market: Any, **known: Any) -> Any:
        """An order as it was taken."""
        mine: Any = self
        return mine.safe_order(
            {
                "info": {"id": placed.id, "status": placed.status, "seq": placed.seq, "reason": placed.reason},
                "id": placed.id,
                "clientOrderId": placed.client_id,
                "symbol": market["symbol"],
                "status": _STATUSES.get(placed.status, placed.status.lower()),
                "filled": format(placed.filled, "f"),
                "timestamp": mine.milliseconds(),
                **known,
            },
            market,
        )

    def my_trade(self, fill: Mapping[str, Any]) -> Any:
        """A fill, of a read or of the stream."""
        mine: Any = self
        market = mine.safe_market(fill.get("market") or fill.get("ticker"))
        timestamp = mine.parse8601(fill["createdAt"])
        return mine.safe_trade(
            {
                "info": fill,
                "id": f"{fill['id']}-{fill['liquidity'].lower()}",
                "order": fill.get("orderId"),
                "timestamp": timestamp,
                "datetime": mine.iso8601(timestamp),
                "symbol": market["symbol"],
                "type": None,
                "side": fill["side"].lower(),
                "takerOrMaker": fill["liquidity"].lower(),
                "price": fill["price"],
                "amount": fill["size"],
                "fee": {"cost": fill["fee"], "currency": "USDC"},
            },
            market,
        )

    def ticker_of(self, record: Mapping[str, Any], **known: Any) -> Any:
        """A market's record as a ticker; what only book and tape know is in `known`."""
        mine: Any = self
        market = mine.safe_market(record["ticker"])
        change = mine.safe_string(record, "priceChange24H")
        return mine.safe_ticker(
            {
                "info": record,
                "symbol": market["symbol"],
                "timestamp": mine.milliseconds(),
                "datetime": mine.iso8601(mine.milliseconds()),
                "quoteVolume": mine.safe_string(record, "volume24H"),
                "change": change,
                "indexPrice": mine.safe_string(record, "oraclePrice"),
                "markPrice": mine.safe_string(record, "oraclePrice"),
                **known,
            },
            market,
        )

    def funding_rate_of(self, record: Mapping[str, Any]) -> Any:
        """A market's record as its funding: the rate of this hour, and what its trades would set for the next."""
        mine: Any = self
        market = mine.safe_market(record["ticker"])
        hour_ms = 3_600_000
        next_ms = (mine.milliseconds() // hour_ms + 1) * hour_ms
        return {
            "info": record,
            "symbol": market["symbol"],
            "indexPrice": mine.safe_number(record, "oraclePrice"),
            "markPrice": mine.safe_number(record, "oraclePrice"),
            "interestRate": mine.parse_number("0"),
            "estimatedSettlePrice": None,
            "timestamp": mine.milliseconds(),
            "datetime": mine.iso8601(mine.milliseconds()),
            "fundingRate": mine.safe_number(record, "fundingRate"),
            "fundingTimestamp": next_ms,
            "fundingDatetime": mine.iso8601(next_ms),
            "nextFundingRate": mine.safe_number(record, "nextFundingRate"),
            "nextFundingTimestamp": next_ms + hour_ms,
            "nextFundingDatetime": mine.iso8601(next_ms + hour_ms),
            "previousFundingRate": None,
            "previousFundingTimestamp": None,
            "previousFundingDatetime": None,
            "interval": "1h",
        }

    def balance_of(self, subaccount: Mapping[str, Any]) -> Any:
        """A subaccount as USDC: equity in all, free collateral free."""
        mine: Any = self
        account = mine.account()
        account["total"] = mine.safe_string(subaccount, "equity")
        account["free"] = mine.safe_string(subaccount, "freeCollateral")
        return mine.safe_balance({"info": subaccount, "USDC": account})
