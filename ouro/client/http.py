# SPDX-License-Identifier: Apache-2.0
"""The two HTTP clients. Both run the same flows; only how a `Call` is carried differs.

with OuroClient(account=Account.from_key(key)) as client:
    placed = client.place_limit_order("BTC-USD", "BUY", "0.01", "20000")
    print(client.order(placed.id, at_seq=placed.seq).status)

async with AsyncOuroClient(account=account) as client:
    placed = await client.place_limit_order("BTC-USD", "BUY", "0.01", "20000")
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx
import msgspec
from eth_account.signers.local import LocalAccount

from ouro.client import amends, batches, composed, reads, trading, triggers
from ouro.client.calls import Call, Flow
from ouro.client.config import ClientConfig
from ouro.client.errors import ClientError, UnreachableError
from ouro.client.receipts import ReceiptFile
from ouro.client.session import Session

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_S = 20.0

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Callable[..., Any])


def default_url() -> str:
    """`OURO_URL`, or the local stack's front door."""
    return os.environ.get("OURO_URL") or DEFAULT_URL


def _as_method(method: M, flow: Callable[..., Any]) -> M:
    """Show `help()` and editors the flow's parameters as a method's, and its result instead of the generator."""
    signature = inspect.signature(flow)
    first, *others = signature.parameters.values()
    result = str(signature.return_annotation).removeprefix("Flow[").removesuffix("]")
    shown = signature.replace(parameters=[first.replace(name="self"), *others], return_annotation=result)
    method.__signature__ = shown  # type: ignore[attr-defined]
    return method


def _blocking(flow: Callable[Concatenate[Session, P], Flow[R]]) -> Callable[Concatenate[OuroClient, P], R]:
    @functools.wraps(flow)
    def method(self: OuroClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(flow(self.session, *args, **kwargs))

    return _as_method(method, flow)


def _awaited(
    flow: Callable[Concatenate[Session, P], Flow[R]],
) -> Callable[Concatenate[AsyncOuroClient, P], Awaitable[R]]:
    @functools.wraps(flow)
    async def method(self: AsyncOuroClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.run(flow(self.session, *args, **kwargs))

    return _as_method(method, flow)


class _Client:
    """What both clients share: where the exchange is, and the session."""

    def __init__(
        self,
        base_url: str | None = None,
        account: LocalAccount | None = None,
        *,
        config: ClientConfig | None = None,
        receipts: Path | str | None = None,
    ) -> None:
        """`config` pins chain and contracts; without it they are asked of the exchange on first use. `receipts` is a
        file to keep the receipts of writes in, for `ouro audit`.
        """
        self.base_url = (base_url or default_url()).rstrip("/")
        self.session = Session(account=account, known_config=config)
        self._receipts = ReceiptFile(receipts) if receipts is not None else None

    @property
    def address(self) -> str:
        """The account's checksummed address. Raises `NoAccountError` when there is none."""
        return self.session.address

    def _keep_receipts(self, call: Call[Any], content: bytes) -> None:
        if self._receipts is not None and call.method != "GET":
            self._receipts.keep(content, self.session.known_config)

    def _unreachable(self, error: httpx.HTTPError | httpx.InvalidURL) -> UnreachableError:
        return UnreachableError(f"cannot reach the exchange at {self.base_url}: {error or type(error).__name__}")


class OuroClient(_Client):
    """Blocking client; safe to use from several threads. Prices and sizes are decimals or strings, never floats."""

    def __init__(
        self,
        base_url: str | None = None,
        account: LocalAccount | None = None,
        *,
        config: ClientConfig | None = None,
        receipts: Path | str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        super().__init__(base_url, account, config=config, receipts=receipts)
        self._http = httpx.Client(timeout=timeout_s)

    config = _blocking(reads.config)
    time = _blocking(reads.time)
    height = _blocking(reads.height)
    markets = _blocking(reads.markets)
    market = _blocking(reads.market_record)
    book = _blocking(reads.book)
    trades = _blocking(reads.trades)
    candles = _blocking(reads.candles)
    historical_funding = _blocking(reads.historical_funding)
    subaccount = _blocking(reads.subaccount)
    subaccounts = _blocking(reads.subaccounts)
    positions = _blocking(reads.positions)
    orders = _blocking(reads.orders)
    read_proof = _blocking(reads.read_proof)
    order = _blocking(reads.order)
    fills = _blocking(reads.fills)
    transfers = _blocking(reads.transfers)

    build_limit_order = _blocking(trading.build_limit_order)
    build_market_order = _blocking(trading.build_market_order)
    submit = _blocking(trading.submit)
    place_limit_order = _blocking(trading.place_limit_order)
    place_market_order = _blocking(trading.place_market_order)
    build_amend = _blocking(amends.build_amend)
    submit_amend = _blocking(amends.submit_amend)
    submit_batch = _blocking(batches.submit_batch)
    build_stop_limit = _blocking(triggers.build_stop_limit)
    build_stop_market = _blocking(triggers.build_stop_market)
    build_take_profit_limit = _blocking(triggers.build_take_profit_limit)
    build_take_profit_market = _blocking(triggers.build_take_profit_market)
    place_stop_limit = _blocking(triggers.place_stop_limit)
    place_stop_market = _blocking(triggers.place_stop_market)
    place_take_profit_limit = _blocking(triggers.place_take_profit_limit)
    place_take_profit_market = _blocking(triggers.place_take_profit_market)
    place_bracket = _blocking(composed.place_bracket)
    place_trailing_stop = _blocking(composed.place_trailing_stop)
    place_twap = _blocking(composed.place_twap)
    place_scaled = _blocking(composed.place_scaled)
    verify_order = _blocking(trading.verify_order)
    cancel = _blocking(trading.cancel)
    cancel_by_client_id = _blocking(trading.cancel_by_client_id)
    cancel_all = _blocking(trading.cancel_all)
    cancel_all_after = _blocking(trading.cancel_all_after)
    sign_withdrawal = _blocking(trading.sign_withdrawal)
    request_cosignature = _blocking(trading.request_cosignature)

    def run(self, flow: Flow[R]) -> R:
        """Carry out a flow."""
        try:
            call = next(flow)
            while True:
                try:
                    answer = self._send(call)
                except ClientError as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as done:
            result: R = done.value
            return result

    def _send(self, call: Call[Any]) -> Any:
        try:
            response = self._http.request(**_request(self.base_url, call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        self._keep_receipts(call, response.content)
        return call.parse(response.status_code, response.content, response.headers.get("retry-after"))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncOuroClient(_Client):
    """Asynchronous client with the same methods as `OuroClient`, to be awaited."""

    def __init__(
        self,
        base_url: str | None = None,
        account: LocalAccount | None = None,
        *,
        config: ClientConfig | None = None,
        receipts: Path | str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        super().__init__(base_url, account, config=config, receipts=receipts)
        self._http = httpx.AsyncClient(timeout=timeout_s)

    config = _awaited(reads.config)
    time = _awaited(reads.time)
    height = _awaited(reads.height)
    markets = _awaited(reads.markets)
    market = _awaited(reads.market_record)
    book = _awaited(reads.book)
    trades = _awaited(reads.trades)
    candles = _awaited(reads.candles)
    historical_funding = _awaited(reads.historical_funding)
    subaccount = _awaited(reads.subaccount)
    subaccounts = _awaited(reads.subaccounts)
    positions = _awaited(reads.positions)
    orders = _awaited(reads.orders)
    read_proof = _awaited(reads.read_proof)
    order = _awaited(reads.order)
    fills = _awaited(reads.fills)
    transfers = _awaited(reads.transfers)

    build_limit_order = _awaited(trading.build_limit_order)
    build_market_order = _awaited(trading.build_market_order)
    submit = _awaited(trading.submit)
    place_limit_order = _awaited(trading.place_limit_order)
    place_market_order = _awaited(trading.place_market_order)
    build_amend = _awaited(amends.build_amend)
    submit_amend = _awaited(amends.submit_amend)
    submit_batch = _awaited(batches.submit_batch)
    build_stop_limit = _awaited(triggers.build_stop_limit)
    build_stop_market = _awaited(triggers.build_stop_market)
    build_take_profit_limit = _awaited(triggers.build_take_profit_limit)
    build_take_profit_market = _awaited(triggers.build_take_profit_market)
    place_stop_limit = _awaited(triggers.place_stop_limit)
    place_stop_market = _awaited(triggers.place_stop_market)
    place_take_profit_limit = _awaited(triggers.place_take_profit_limit)
    place_take_profit_market = _awaited(triggers.place_take_profit_market)
    place_bracket = _awaited(composed.place_bracket)
    place_trailing_stop = _awaited(composed.place_trailing_stop)
    place_twap = _awaited(composed.place_twap)
    place_scaled = _awaited(composed.place_scaled)
    verify_order = _awaited(trading.verify_order)
    cancel = _awaited(trading.cancel)
    cancel_by_client_id = _awaited(trading.cancel_by_client_id)
    cancel_all = _awaited(trading.cancel_all)
    cancel_all_after = _awaited(trading.cancel_all_after)
    sign_withdrawal = _awaited(trading.sign_withdrawal)
    request_cosignature = _awaited(trading.request_cosignature)

    async def run(self, flow: Flow[R]) -> R:
        """Carry out a flow."""
        try:
            call = next(flow)
            while True:
                try:
                    answer = await self._send(call)
                except ClientError as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as done:
            result: R = done.value
            return result

    async def _send(self, call: Call[Any]) -> Any:
        try:
            response = await self._http.request(**_request(self.base_url, call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        self._keep_receipts(call, response.content)
        return call.parse(response.status_code, response.content, response.headers.get("retry-after"))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _request(base_url: str, call: Call[Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": call.method,
        "url": base_url + call.path,
        "params": dict(call.query),
        "headers": dict(call.headers),
    }
    if call.body is not None:
        request["content"] = msgspec.json.encode(call.body)
        request["headers"]["content-type"] = "application/json"
    return request
