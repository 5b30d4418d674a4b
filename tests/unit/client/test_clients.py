# SPDX-License-Identifier: AGPL-3.0-only
"""The two clients are the same client twice, and say plainly when nobody answers."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from ouro.client import AsyncOuroClient, AsyncStream, OuroClient, Stream, UnreachableError

NOBODY = "http://127.0.0.1:9"


def public_methods(kind: type) -> dict[str, str]:
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name: str(inspect.signature(method)) for name, method in methods if not name.startswith("_")}


def test_both_clients_have_the_same_methods():
    blocking, asynchronous = public_methods(OuroClient), public_methods(AsyncOuroClient)
    assert blocking == asynchronous
    assert len(blocking) > 20


def test_methods_show_their_own_signature():
    signature = inspect.signature(OuroClient.place_limit_order)
    assert list(signature.parameters)[:4] == ["self", "market", "side", "size"]
    assert signature.return_annotation == "PlacedOrder"
    assert "limit order" in (OuroClient.place_limit_order.__doc__ or "")


def test_nobody_there():
    with OuroClient(NOBODY) as client, pytest.raises(UnreachableError, match=NOBODY):
        client.markets()


def test_nobody_there_async():
    async def ask() -> None:
        async with AsyncOuroClient(NOBODY) as client:
            await client.markets()

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


def test_address_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OURO_URL", "http://exchange.test:1234/")
    assert OuroClient().base_url == "http://exchange.test:1234"
