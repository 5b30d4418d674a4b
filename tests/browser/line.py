# SPDX-License-Identifier: AGPL-3.0-only
"""The line between a page and its stream, which a test may cut."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, WebSocketRoute


class Line:
    """Stands between the page and the stream; can cut it or swallow a message. `asked` is what the page sent."""

    def __init__(self, page: Page) -> None:
        self.connections = 0
        self.swallow = 0
        self.closed = False
        self.asked: list[dict[str, Any]] = []
        self._now: WebSocketRoute | None = None
        page.route_web_socket(re.compile("/v4/ws"), self._open)

    def _open(self, here: WebSocketRoute) -> None:
        if self.closed:
            here.close(code=1012)
            return
        self.connections += 1
        self._now = here
        server = here.connect_to_server()

        def ask(message: str | bytes) -> None:
            self.asked.append(json.loads(message))
            server.send(message)

        def pass_on(message: str | bytes) -> None:
            if self.swallow and b"channel_data" in (message if isinstance(message, bytes) else message.encode()):
                self.swallow -= 1
                return
            here.send(message)

        here.on_message(ask)
        server.on_message(pass_on)

    def cut(self) -> None:
        assert self._now is not None
        self._now.close(code=1012, reason="cut")
