# SPDX-License-Identifier: AGPL-3.0-only
"""Write docs/sdk-reference.md from the SDK itself: signatures, docstrings, fields. `--check` only compares.

python scripts/sdk_reference.py
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec

import ouro.client
from ouro.client import building, errors, models, namespaces, networks, signers, ws
from ouro.client.modes import Namespace
from ouro.client.namespaces import Method

PAGE = Path(__file__).parents[1] / "docs" / "sdk-reference.md"

INTRODUCTION = """# SDK reference

Written by `scripts/sdk_reference.py` from the code, which is its only source; [sdk.md](sdk.md) is the way in.
Of an `AsyncOuroClient` every method is awaited and every stream is followed by `async for`. `Amount` is a
`Decimal`, a string or an int, never a float. `**options` are [the options of orders](#options-of-orders).
"""

NAMESPACES: tuple[tuple[str, type[Namespace[Any]]], ...] = (
    ("client", namespaces.Exchange),
    ("client.markets", namespaces.Markets),
    ("client.account", namespaces.AccountReads),
    ("client.orders", namespaces.Orders),
    ("client.chain", namespaces.Chain),
)


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_clients()]
    for name, kind in NAMESPACES:
        parts.append(f"## `{name}`\n\n{_text(kind)}\n")
        parts += [_call(f"{name}.{attribute}", method.signature(), method) for attribute, method in _methods(kind)]
    parts += _streams()
    parts.append(f"## Options of orders\n\n`OrderOptions`. {_text(building.OrderOptions)}\n")
    parts += _section("Signers", [signers.Signer, signers.LocalSigner, signers.CallbackSigner, signers.RemoteSigner])
    parts += _section("Networks", [networks.Network])
    parts += _errors()
    parts += _records()
    return "\n".join(parts).rstrip() + "\n"


def _methods(kind: type[Namespace[Any]]) -> Iterator[tuple[str, Method[..., Any]]]:
    for name, value in vars(kind).items():
        if isinstance(value, Method):
            yield name, value


def _clients() -> Iterator[str]:
    for kind in (ouro.client.OuroClient, ouro.client.AsyncOuroClient):
        signature = inspect.signature(kind)
        yield f"### `{kind.__name__}{_shown(signature)}`\n\n{_text(kind)}\n"
    yield f"{_text(ouro.client.OuroClient.__init__)}\n"


def _streams() -> Iterator[str]:
    yield f"## `client.ws`\n\n{_text(ws)}\n"
    for name, feed in vars(ws.Streams).items():
        if isinstance(feed, ws.Feed):
            yield _call(f"client.ws.{name}", feed.signature(), feed)
    yield _call("client.ws.open", inspect.Signature(return_annotation="Stream"), ws.Streams.open)


def _section(title: str, kinds: list[type]) -> Iterator[str]:
    yield f"## {title}\n"
    for kind in kinds:
        yield f"### `{kind.__name__}`\n\n{_text(kind)}\n"
        if is_dataclass(kind):
            yield f"Fields: {_fields(kind)}.\n"
            continue
        if "__init__" in vars(kind) and not getattr(kind, "_is_protocol", False):
            yield _call(kind.__name__, _without_self(kind.__init__), kind.__init__)
        for name, value in vars(kind).items():
            if name.startswith("_"):
                continue
            if isinstance(value, classmethod):
                yield _call(f"{kind.__name__}.{name}", _without_self(value.__func__), value.__func__)
            elif inspect.isfunction(value):
                yield _call(name, _without_self(value), value)


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield f"{_text(errors)}\n"
    yield f"`RefusedError`: {_text(errors.RefusedError)}\n"
    rows = ["| class | is a | what |", "|---|---|---|"]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ClientError) and kind is not errors.RefusedError:
            rows.append(f"| `{name}` | `{kind.__bases__[0].__name__}` | {_text(kind).replace(chr(10), ' ')} |")
    yield "\n".join(rows) + "\n"
    rows = ["| code | hint |", "|---|---|"]
    rows += [f"| `{code}` | {hint} |" for code, hint in sorted(errors._HINTS.items())]
    yield "\n".join(rows) + "\n"


def _records() -> Iterator[str]:
    yield f"## Records\n\n{_text(models)} All are frozen.\n"
    known = {name: value for module in (models, ouro.client, ws) for name, value in vars(module).items()}
    for name, kind in sorted(known.items()):
        is_record = isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or is_dataclass(kind))
        if is_record and name not in ("Record", "Network", "AccountReads") and not name.startswith("_"):
            yield f"**`{name}`** {_text(kind)}\n\n{_fields(kind)}\n"


def _fields(kind: type) -> str:
    is_struct = issubclass(kind, msgspec.Struct)
    names = kind.__struct_fields__ if is_struct else tuple(field.name for field in fields(kind))
    types: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        types |= vars(base).get("__annotations__", {})
    return ", ".join(f"`{name}: {types[name]}`" for name in names)


def _call(name: str, signature: inspect.Signature, documented: Any) -> str:
    return f"### `{name}`\n\n```python\n{name}{_shown(signature)}\n```\n\n{_text(documented)}\n"


def _shown(signature: inspect.Signature) -> str:
    text = str(signature).replace("**options: 'Unpack[OrderOptions]'", "**options")
    text = re.sub(r"<TimeInForce\.(\w+): '\w+'>", r"'\1'", text)
    return re.sub(r": '([^']+)'", r": \1", re.sub(r"-> '([^']+)'", r"-> \1", text))


def _without_self(method: Any) -> inspect.Signature:
    signature = inspect.signature(method)
    _, *others = signature.parameters.values()
    return signature.replace(parameters=others)


def _text(documented: Any) -> str:
    return inspect.getdoc(documented) or ""


def main() -> int:
    """Write the page, or with `--check` say whether it is current."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
        return 0
    if PAGE.read_text() == text:
        return 0
    print("docs/sdk-reference.md is not what the SDK says: run python scripts/sdk_reference.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
