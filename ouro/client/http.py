# SPDX-License-Identifier: Apache-2.0
"""The two clients. Both run the same flows; only how an effect is carried out differs.

with OuroClient(signer=LocalSigner.from_key(key)) as client:
    placed = client.orders.place_limit_order("BTC-USD", "BUY", "0.01", "20000")
    print(client.orders.get(placed.id, at_seq=placed.seq).status)

async with AsyncOuroClient(signer=LocalSigner.from_key(key)) as client:
    placed = await client.orders.place_limit_order("BTC-USD", "BUY", "0.01", "20000")
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec
from eth_account.signers.local import LocalAccount

from ouro.async_http import AsyncClient
from ouro.client.calls import Call, Effect, Flow, Pause, Work
from ouro.client.config import ClientConfig
from ouro.client.errors import ClientError, UnreachableError
from ouro.client.modes import Awaited, Blocking
from ouro.client.namespaces import AccountReads, Chain, Exchange, Markets, Orders
from ouro.client.networks import Network, network
from ouro.client.receipts import ReceiptFile
from ouro.client.session import Session, signer_of
from ouro.client.signers import Signer
from ouro.client.stream import AsyncStream, Stream
from ouro.client.ws import Streams
from ouro.urls import shown

DEFAULT_TIMEOUT_S = 20.0

R = TypeVar("R")


class _Client:
    """What both clients share: where the exchange is, and the session."""

    def __init__(
        self,
        exchange: Network | str | None = None,
        signer: Signer | LocalAccount | None = None,
        *,
        owner: str | None = None,
        config: ClientConfig | None = None,
        rpc_url: str | None = None,
        strict: bool = False,
        receipts: Path | str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """`exchange` is a preset (`LOCAL`), its name or a URL; else `OURO_URL`, or the local stack.

        `signer` signs (an account of eth-account is one, too), `owner` is the address to trade for when the signer is
        a session key of it, or to read of when there is no signer. `config` pins chain and contracts; without it they
        are asked of the exchange on first use. `rpc_url` is the node for `chain`, else the one that the exchange
        announces. `strict` refuses what is off the tick or not whole lots instead of rounding it. `receipts` is a file
        to keep the receipts of writes in, for `ouro audit`.
        """
        chosen = network(exchange)
        if rpc_url is not None:
            chosen = replace(chosen, rpc_url=rpc_url)
        self.session = Session(
            signer=signer_of(signer), owner=owner, network=chosen, known_config=config, strict=strict
        )
        self._receipts = ReceiptFile(receipts) if receipts is not None else None
        self.open_streams: set[AsyncStream] = set()
        self._connect(timeout_s)

    def _connect(self, timeout_s: float) -> None:
        raise NotImplementedError

    @property
    def base_url(self) -> str:
        """The exchange's front door."""
        return self.session.network.url

    @property
    def address(self) -> str:
        """The account's checksummed address. Raises `NoAccountError` when there is none."""
        return self.session.address

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        url = call.path if "://" in call.path else self.base_url + call.path
        request: dict[str, Any] = {
            "method": call.method,
            "url": url,
            "params": dict(call.query) or None,
            "headers": dict(call.headers),
        }
        if call.body is not None:
            request["content"] = msgspec.json.encode(call.body)
            request["headers"]["content-type"] = "application/json"
        return request

    def _parse(self, call: Call[Any], response: httpx.Response) -> Any:
        if self._receipts is not None and call.method != "GET" and "://" not in call.path:
            self._receipts.keep(response.content, self.session.known_config)
        return call.parse(response.status_code, response.content, response.headers.get("retry-after"))

    def _unreachable(self, call: Call[Any], error: httpx.HTTPError | httpx.InvalidURL) -> UnreachableError:
        whom = f"the node at {shown(call.path)}" if "://" in call.path else f"the exchange at {shown(self.base_url)}"
        return UnreachableError(f"cannot reach {whom}: {error or type(error).__name__}")


class OuroClient(_Client):
    """Blocking client; safe to use from several threads. Prices and sizes are decimals or strings, never floats."""

    stream_type: type[Stream | AsyncStream] = Stream

    def _connect(self, timeout_s: float) -> None:
        self._http = httpx.Client(timeout=timeout_s)
        self.markets: Markets[Blocking] = Markets(self)
        self.account: AccountReads[Blocking] = AccountReads(self)
        self.orders: Orders[Blocking] = Orders(self)
        self.chain: Chain[Blocking] = Chain(self)
        self.ws: Streams[Blocking] = Streams(self)
        exchange: Exchange[Blocking] = Exchange(self)
        self.config, self.time, self.height = exchange.config, exchange.time, exchange.height

    def run(self, flow: Flow[R]) -> R:
        """Carry out a flow."""
        try:
            effect = next(flow)
            while True:
                try:
                    result = self._carry_out(effect)
                except ClientError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as done:
            value: R = done.value
            return value

    def _carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, Work):
            return effect.carry_out()
        if isinstance(effect, Pause):
            return time.sleep(effect.seconds)
        try:
            response = self._http.request(**self._request(effect))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(effect, error) from error
        return self._parse(effect, response)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncOuroClient(_Client):
    """Asynchronous client with the same methods as `OuroClient`, to be awaited."""

    stream_type: type[Stream | AsyncStream] = AsyncStream

    def _connect(self, timeout_s: float) -> None:
        self._http = AsyncClient(timeout=timeout_s)
        self.markets: Markets[Awaited] = Markets(self)
        self.account: AccountReads[Awaited] = AccountReads(self)
        self.orders: Orders[Awaited] = Orders(self)
        self.chain: Chain[Awaited] = Chain(self)
        self.ws: Streams[Awaited] = Streams(self)
        exchange: Exchange[Awaited] = Exchange(self)
        self.config, self.time, self.height = exchange.config, exchange.time, exchange.height

    async def run(self, flow: Flow[R]) -> R:
        """Carry out a flow."""
        try:
            effect = next(flow)
            while True:
                try:
                    result = await self._carry_out(effect)
                except ClientError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as done:
            value: R = done.value
            return value

    async def _carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, Work):
            return effect.carry_out() if effect.quick else await asyncio.to_thread(effect.carry_out)
        if isinstance(effect, Pause):
            return await asyncio.sleep(effect.seconds)
        try:
            response = await self._http.request(**self._request(effect))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(effect, error) from error
        return self._parse(effect, response)

    async def close(self) -> None:
        """Close the connections, those of streams of records too: loops over them come to the end."""
        # A loop that was left closes its stream when the event loop comes to it, which may be never.
        for stream in tuple(self.open_streams):
            await stream.close()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
