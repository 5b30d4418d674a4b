# SPDX-License-Identifier: AGPL-3.0-only
"""JSON answers, and what every answer says about the state it was read from."""

from typing import Any

import msgspec
from starlette.responses import Response

HOT = "public, max-age=1"
HISTORY = "public, max-age=10"
NEVER = "no-store"

_encoder = msgspec.json.Encoder()


class Json(Response):
    """A JSON body, encoded by msgspec."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, cache: str = HOT) -> None:
        super().__init__(_encoder.encode(content), status_code, {"Cache-Control": cache})
