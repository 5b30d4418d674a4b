# SPDX-License-Identifier: AGPL-3.0-only
"""The health port: /health (the process is up), /ready (every bot's last round went well), /metrics."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class HealthServer:
    """Serves until closed, from a thread of its own."""

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes], problems: Callable[[], list[str]]) -> None:
        """Port 0 takes a free one. Raises `OSError` when the port is taken."""

        def answer(path: str) -> Answer:
            if path == "/health":
                return 200, "application/json", json.dumps({"status": "ok"}).encode()
            if path == "/ready":
                found = problems()
                body = json.dumps({"ready": not found, "problems": found}).encode()
                return 503 if found else 200, "application/json", body
            if path == "/metrics":
                return 200, CONTENT_TYPE_LATEST, metrics()
            return 404, "application/json", json.dumps({"errors": ["try /health, /ready or /metrics"]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Scrapes are not worth a line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
