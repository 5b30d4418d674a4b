# SPDX-License-Identifier: AGPL-3.0-only
"""An indexer as a process of its own, with its front door."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from websockets.sync.client import ClientConnection, connect

from stack.ports import free_port
from tests.support.build import ROOT
from tests.support.waiting import eventually

Json = dict[str, Any]


class IndexerProcess:
    """`python -m indexer run` (or `follow`, `serve`) with a state folder of its own; `settings` are more of its
    environment.
    """

    def __init__(
        self, rpc_url: str, relayer_url: str, deployment: Path, state: Path, *, command: str = "run", **settings: str
    ) -> None:
        self._state = state
        self._command = command
        state.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "OURO_RPC_URL": rpc_url,
            "OURO_RELAYER_URL": relayer_url,
            "OURO_DEPLOYMENT_PATH": str(deployment),
            "OURO_STATE_DIR": str(state),
            "OURO_INDEXER_PORT": str(self.port),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=120)

    def start(self, path: str = "/ready") -> None:
        """Start it and wait until `path` answers with 200."""
        self.launch()
        eventually(lambda: self._answers(path), f"{path} of the indexer")

    def launch(self) -> None:
        """Start it, and return at once."""
        with (self._state / "indexer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "indexer", self._command],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start_refused(self) -> str:
        """Start it where it cannot run, and return what it says of that."""
        done = subprocess.run(
            [sys.executable, "-m", "indexer", self._command],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 1, done.stdout
        return " ".join(done.stderr.split())

    def kill(self) -> None:
        """SIGKILL: no last words."""
        self.stop(signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(180)
        self._process = None
        return status

    def wait(self) -> int:
        """Its exit status, when it ends by itself."""
        assert self._process is not None
        status = self._process.wait(180)
        self._process = None
        return status

    def close(self) -> None:
        if self._process is not None:
            self.stop(signal.SIGKILL)
        self.http.close()

    def log(self) -> str:
        return (self._state / "indexer.log").read_text()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON body of a read that must succeed."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stream(self) -> Stream:
        return Stream(f"ws://127.0.0.1:{self.port}/v4/ws")

    def _answers(self, path: str) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()[-4000:]
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False


class Stream:
    """One stream connection that checks the numbering of what it receives."""

    def __init__(self, url: str) -> None:
        self._socket: ClientConnection = connect(url, open_timeout=60)
        self._next = 0
        assert self.receive()["type"] == "connected"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, **message: Any) -> None:
        self._socket.send(msgspec.json.encode(message).decode())

    def receive(self, timeout_s: float = 60) -> Json:
        message: Json = msgspec.json.decode(self._socket.recv(timeout_s))
        assert message["message_id"] == self._next
        self._next += 1
        return message

    def close(self) -> None:
        self._socket.close()

    def subscribe(self, channel: str, id_: str | None = None, **more: Any) -> Any:
        """Subscribe and return the snapshot."""
        self.send(type="subscribe", channel=channel, **({} if id_ is None else {"id": id_}), **more)
        message = self.receive()
        assert message["type"] == "subscribed", message
        assert message["channel"] == channel
        assert message.get("id") == id_
        return message["contents"]

    def until(self, channel: str, wanted: Any) -> Json:
        """Contents of the next update of a channel for which `wanted(contents)` holds."""
        for _ in range(200):
            message = self.receive()
            if message["type"] == "channel_data" and message["channel"] == channel and wanted(message["contents"]):
                contents: Json = message["contents"]
                return contents
        raise AssertionError(f"no such update on {channel}")
