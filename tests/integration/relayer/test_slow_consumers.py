# SPDX-License-Identifier: AGPL-3.0-only
"""A consumer that does not read is cut off and told where to come back; the others notice nothing."""

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from websockets.asyncio.client import connect

from ouro.deployment import Deployment
from relayer.api import create_app, events
from relayer.config import RelayerConfig, RelayerSettings
from relayer.core.outputs import BookOutput
from relayer.event_log import EventLog
from relayer.service import Relayer
from stack.ports import free_port
from tests.support.anvil import OPERATOR

RECORDS = 60_000
DEPLOYMENT = {
    "chainId": 31_337,
    "startBlock": 1,
    "settleWindow": 60,
    "withdrawalDelay": 120,
    "operator": OPERATOR.address,
    "priceSigner": OPERATOR.address,
    "contracts": dict.fromkeys(("exchange", "vault", "oracle", "usdc"), "0x" + "11" * 20),
    "markets": [],
}


def _records(first: int, count: int) -> list[BookOutput]:
    levels = tuple((2_300_000 + at, at) for at in range(20))
    return [BookOutput(seq, 1_800_000_000_000, "BTC-USD", levels, (), seq) for seq in range(first, first + count)]


@contextlib.asynccontextmanager
async def serving(folder: Path, http: Any = "auto", **more: Any) -> AsyncIterator[tuple[Relayer, int]]:
    """A relayer without a chain, its API on a real socket."""
    port = free_port()
    settings = RelayerSettings(
        rpc_url=f"http://127.0.0.1:{free_port()}",
        state_dir=folder,
        operator_key="0x" + bytes(OPERATOR.key).hex(),
        **more,
    )
    relayer = Relayer(RelayerConfig(settings, Deployment.from_record(DEPLOYMENT)))
    server = uvicorn.Server(uvicorn.Config(create_app(relayer), port=port, http=http, log_level="warning"))
    task = asyncio.create_task(server._serve())
    await _until(lambda: server.started and relayer.engine.running)
    try:
        yield relayer, port
    finally:
        relayer.wake_consumers()
        server.should_exit = True
        await task


async def _silent_consumer(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose consumer shakes hands and then reads nothing (`limit`: a small buffer of its own)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /events/stream?from=1 HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _until(check: Callable[[], bool]) -> None:
    """Returns once `check` is true; what it looks at has no event to wait for."""
    while not check():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def _value(relayer: Relayer, name: str) -> float:
    return relayer.engine.metrics.registry.get_sample_value(name) or 0.0


def test_who_takes_nothing_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.5)

    async def run() -> None:
        async with serving(tmp_path) as (relayer, port):
            log = relayer.engine.event_log
            log.append(_records(1, RECORDS))
            _, writer = await _silent_consumer(port)
            async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{port}/events/stream?from={RECORDS}") as good:
                assert json.loads(await good.recv())["seq"] == RECORDS
                await _until(lambda: _value(relayer, "ouro_relayer_slow_consumers_total") == 1)
                log.append(_records(RECORDS + 1, 1))
                assert json.loads(await good.recv())["seq"] == RECORDS + 1
            writer.close()

    asyncio.run(run())


def test_who_falls_far_behind_is_told_where_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LAG", 500)

    async def run() -> None:
        async with serving(tmp_path) as (relayer, port):
            log = relayer.engine.event_log
            log.append(_records(1, 1))
            async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{port}/events/stream?from=2") as stream:
                await asyncio.sleep(0.2)
                log.append(_records(2, 1_000))
                await stream.wait_closed()
                assert stream.close_code == events.SLOW_CONSUMER
                assert stream.close_reason == "too slow: come back with from=2"

    asyncio.run(run())


def test_records_are_what_the_core_encodes(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (relayer, port):
            [record] = _records(1, 1)
            relayer.engine.event_log.append([record])
            async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{port}/events/stream") as stream:
                assert msgspec.json.decode(await stream.recv(), type=BookOutput) == record

    asyncio.run(run())


def test_a_gap_is_told_and_the_stream_goes_on_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventLog, "first_seq", property(lambda _: 7))

    async def run() -> None:
        async with (
            serving(tmp_path) as (relayer, port),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):
            relayer.engine.event_log.append(_records(1, 9))
            async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{port}/events/stream?from=3") as stream:
                heard = [json.loads(await stream.recv()) for _ in range(4)]
            assert heard[0] == {"type": "gap", "from": 3, "next": 7}
            assert [record["seq"] for record in heard[1:]] == [7, 8, 9]
            gone = await http.get("/events", params={"from": 3})
            assert (gone.status_code, gone.json()["errorCode"], gone.json()["firstSeq"]) == (410, "records_gone", 7)
            assert len((await http.get("/events", params={"from": 7})).text.splitlines()) == 3

    asyncio.run(run())


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer sesam", "bearer sesame", "Bearer s\xe9same"])
def test_without_the_token_nobody_reads(tmp_path: Path, given: str) -> None:
    async def run() -> None:
        async with (
            serving(tmp_path, events_token="sesame") as (relayer, port),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):
            relayer.engine.event_log.append(_records(1, 1))
            right, wrong = {"Authorization": "Bearer sesame"}, {"Authorization": given.encode("latin-1")}
            refused = await http.get("/events", headers=wrong)
            assert (refused.status_code, refused.json()["errorCode"]) == (401, "not_authorised")
            assert len((await http.get("/events", headers=right)).text.splitlines()) == 1
            url = f"ws://127.0.0.1:{port}/events/stream"
            async with asyncio.timeout(20), connect(url, additional_headers={"Authorization": given}) as stream:
                await stream.wait_closed()
                assert stream.close_code == events.UNAUTHORIZED
            async with asyncio.timeout(20), connect(url, additional_headers=right) as stream:
                assert json.loads(await stream.recv())["seq"] == 1

    asyncio.run(run())


def test_streams_are_not_without_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS", 2)

    async def run() -> None:
        async with serving(tmp_path) as (relayer, port), asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            url = f"ws://127.0.0.1:{port}/events/stream"
            for _ in range(2):
                await stack.enter_async_context(connect(url))
            await _until(lambda: len(relayer.venue.streams) == 2)
            third = await stack.enter_async_context(connect(url))
            await third.wait_closed()
            assert third.close_code == events.TRY_LATER

    asyncio.run(run())
