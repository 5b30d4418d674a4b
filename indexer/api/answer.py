# SPDX-License-Identifier: AGPL-3.0-only
"""JSON answers, and what every answer says about the state it was read from."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HOT = "public, max-age=1"
HISTORY = "public, max-age=10"
NEVER = "no-store"

_encoder = msgspec.json.Encoder()
_FIRST_ERROR = 400


class Json(Response):
    """A JSON body, encoded by msgspec. An object below `/v4` also gets `height` and `seq`, which the state that it was
    read from had at least, unless it has keys of these names; a `bare` one does not, since its keys are data.
    """

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, cache: str = HOT, *, bare: bool = False) -> None:
        super().__init__(_encoder.encode(content), status_code, {"Cache-Control": cache})
        stamped = isinstance(content, Mapping) and content and not bare and status_code < _FIRST_ERROR
        self._lacks = [name for name in ("height", "seq") if name not in content] if stamped else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        position = scope.get("state", {}).get("read_after")
        if self._lacks and position is not None and scope["path"].startswith("/v4/"):
            known = dict(zip(("height", "seq"), position, strict=True))
            more = ",".join(f'"{name}":"{known[name]}"' for name in self._lacks)
            self.body = b"%b,%b}" % (bytes(self.body)[:-1], more.encode())
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)
