# SPDX-License-Identifier: AGPL-3.0-only
"""The two clients are the same client twice, and say plainly when nobody answers."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from ouro.client import LOCAL, AsyncOuroClient, AsyncStream, Network, OuroClient, Stream, UnreachableError
from ouro.client.namespaces import Markets, Orders

NOBODY = "http://127.0.0.1:9"


def test_both_clients_have_the_same_namespaces():
    with OuroClient() as blocking:
        names = {name for name in vars(blocking) if not name.startswith("_")}

    async def others() -> set[str]:
        async with AsyncOuroClient() as client:
            return {name for name in vars(client) if not name.startswith("_")}

    assert names == asyncio.run(others())
    assert {"markets", "account", "orders", "chain", "ws"} <= names


def test_methods_show_their_own_signature():
    with OuroClient() as client:
        method = client.orders.place_limit_order
        signature = inspect.signature(method)
    assert list(signature.parameters)[:4] == ["market", "side", "size", "price"]
    assert signature.return_annotation == "PlacedOrder"
    assert (method.__doc__ or "").startswith("Sign and send a limit order:")
    assert inspect.signature(client.orders.build_limit_order).return_annotation == "SignedOrder"
    assert Markets.book.__doc__
    assert Orders.list.signature().parameters.keys() >= {"status", "address"}


def test_nobody_there():
    with OuroClient(NOBODY) as client, pytest.raises(UnreachableError, match=NOBODY):
        client.markets.list()


def test_nobody_there_async():
    async def ask() -> None:
        async with AsyncOuroClient(NOBODY) as client:
            await client.markets.list()

    with pytest.raises(UnreachableError, match=NOBODY):
        asyncio.run(ask())


def test_nobody_streams():
    with pytest.raises(UnreachableError), Stream(NOBODY):
        pass

    async def follow() -> None:
        async with AsyncStream(NOBODY):
            pass

    with pytest.raises(UnreachableError):
        asyncio.run(follow())


def test_where_the_exchange_is(monkeypatch):
    monkeypatch.delenv("OURO_URL", raising=False)
    for named in (None, "local", LOCAL):
        with OuroClient(named) as client:
            assert (client.base_url, client.session.network.chain_id) == (LOCAL.url, 31_337)
    with OuroClient(Network("http://exchange.test", 7), rpc_url="http://node.test") as client:
        assert client.session.network == Network("http://exchange.test", 7, rpc_url="http://node.test")
    monkeypatch.setenv("OURO_URL", "http://exchange.test:1234/")
    with OuroClient() as client:
        assert client.base_url == "http://exchange.test:1234"
