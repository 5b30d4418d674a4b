# SPDX-License-Identifier: AGPL-3.0-only
"""A front door over a database, without a node or a relayer behind it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from indexer.api.app import create_app
from indexer.api.context import Context, LiveMarkets
from indexer.api.forward import Forwarder
from indexer.progress import Progress
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.stream.hub import Hub
from ouro.deployment import Deployment
from tests.support.waiting import eventually

NOWHERE = (("height", "-1"), ("seq", "-1"))
NOBODY = "http://127.0.0.1:9"


def context_over(engine: Engine, deployment: Any = None) -> Context:
    """What routes read; `deployment` is for those that tell of it."""
    known: Deployment = deployment
    return Context(
        engine=engine,
        progress=Progress(),
        books={},
        live=LiveMarkets(),
        deployment=known,
        record={},
        relayer_url=NOBODY,
        rpc_url=NOBODY,
        receipt_signer="",
    )


@contextmanager
def empty_index(folder: Path) -> Iterator[Engine]:
    """A SQLite database in `folder` with the tables and nothing in them."""
    engine = open_engine(f"sqlite:///{folder / 'index.sqlite'}", writes=True)
    migrate(engine)
    yield engine
    engine.dispose()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Host and port of a front door that listens."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, "the server")
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


class Front:
    """Requests to a front door in this process."""

    def __init__(self, engine: Engine, deployment: Any = None) -> None:
        self._app = create_app(context_over(engine, deployment), Hub(), Forwarder(NOBODY))

    def answer(
        self, path: str, query: Mapping[str, Any] | str = "", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Whatever it answers; a query may be given as it stands in the URL."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
                if isinstance(query, str):
                    return await client.get(f"{path}?{query}", headers=headers)
                return await client.get(path, params=dict(query), headers=headers)

        return asyncio.run(ask())

    def reads(self, parts: Mapping[str, str]) -> list[tuple[str, str]]:
        """Every path that can be read: as it is declared, and with these parts put in; others are "1"."""
        declared = [path for path, methods in self._app.openapi()["paths"].items() if "get" in methods]
        return [(path, re.sub(r"{(\w+)(:path)?}", lambda part: parts.get(part[1], "1"), path)) for path in declared]

    def get(self, path: str, **query: Any) -> Any:
        """The body of a read that must succeed, without what it says of how far this door has followed: nowhere."""
        answer = self.answer(path, query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        if isinstance(body, dict):
            return {name: value for name, value in body.items() if (name, value) not in NOWHERE}
        return body

    def refused(self, path: str, status: int = 400, **query: Any) -> tuple[str, str]:
        """Code and parameter of a read that must fail."""
        answer = self.answer(path, query)
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert not isinstance(body.get("code"), int)
        [error] = body["errors"]
        assert error["msg"]
        return body["errorCode"], error.get("param", "")
