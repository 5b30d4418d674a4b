# SPDX-License-Identifier: AGPL-3.0-only
"""What a program tells the test that started it: one JSON object a line, on standard output."""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

SCENE: dict[str, Any] = json.loads(os.environ["OURO_SCENE"])
"""Where to connect, whose accounts and orders there are."""


def tell(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields, default=str) + "\n")
    sys.stdout.flush()


def tell_call(method: str, call: Callable[[], Any]) -> None:
    """Tell what a method answers, or how it fails."""
    try:
        tell(method=method, answer=call())
    except Exception as error:  # noqa: BLE001 a client may raise anything
        tell(method=method, error=f"{type(error).__name__}: {error}")


async def tell_awaited(method: str, call: Awaitable[Any]) -> None:
    """The same of a method that is awaited."""
    try:
        tell(method=method, answer=await call)
    except Exception as error:  # noqa: BLE001
        tell(method=method, error=f"{type(error).__name__}: {error}")
