# SPDX-License-Identifier: AGPL-3.0-only
"""The process: one uvicorn worker around one relayer, ended by signals or by the relayer's failure."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn

from relayer.api import create_app
from relayer.config import RelayerConfig
from relayer.guarding import guarded
from relayer.logs import logger
from relayer.service import Relayer

log = logger("server")

DRAIN_S = 5


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn would raise them again after its end, and we exit with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield


async def serve(config: RelayerConfig) -> int:
    """Runs until SIGTERM or SIGINT (0) or a failure (1). Raises what opening the journal and the key raise."""
    relayer = Relayer(config)
    server = _Server(
        uvicorn.Config(
            create_app(relayer),
            host=config.settings.relayer_host,
            port=config.settings.relayer_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=DRAIN_S,
            http=guarded(config.settings.relayer_ip_connections, relayer.venue.limits.is_trusted),
            proxy_headers=False,  # the limits read them, for proxies that we trust
            ws_ping_interval=20,
            ws_max_size=65_536,
        )
    )

    def finish(reason: str) -> None:
        log.info("stopping", reason=reason)
        relayer.wake_consumers()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, finish, number.name)

    async def end_on_failure() -> None:
        await relayer.failed.wait()
        finish("failure")

    guard = asyncio.create_task(end_on_failure())
    await server.serve()
    guard.cancel()
    return 1 if relayer.failed.is_set() or not server.started else 0
