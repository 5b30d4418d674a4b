# SPDX-License-Identifier: Apache-2.0
"""What every command shares: the options `--url`, `--json` and `--keystore`, lazily made clients, exit codes.

Exit codes are stable: 0 done, 1 refused by the exchange or the chain, 2 wrong usage, 3 not reachable. An error is one
sentence on standard error (with `--json` an object), never a traceback.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_type_hints

import msgspec
import typer

from ouro.cli import output
from ouro.errors import OuroError

if TYPE_CHECKING:
    from ouro.client import LocalSigner, OuroClient
    from ouro.client.modes import Blocking
    from ouro.client.namespaces import Chain


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CONNECTION = 3


class UsageError(Exception):
    """The command was called in a way that cannot work; the text says how to put it right."""


class Cli:
    """One run of a command: where the exchange is, which key signs, how to print."""

    def __init__(self, url: str | None, json: bool, keystore: Path | None) -> None:
        self.url = url
        self.json = json
        self.keystore = keystore

    @cached_property
    def signer(self) -> LocalSigner:
        """Who signs. Raises `UsageError` when no key is configured."""
        from ouro.cli.keys import load_signer

        return load_signer(self.keystore)

    @cached_property
    def reader(self) -> OuroClient:
        """A client without an account, for reads."""
        from ouro.client import OuroClient

        return OuroClient(self.url)

    @cached_property
    def trader(self) -> OuroClient:
        """A client that signs. It is strict: who types a price means that price."""
        from ouro.client import OuroClient

        return OuroClient(self.url, self.signer, strict=True)

    def chain(self, rpc_url: str | None) -> Chain[Blocking]:
        """The account's own transactions, through `rpc_url` or the node the exchange announces."""
        self.trader.session.network = replace(self.trader.session.network, rpc_url=rpc_url or "")
        return self.trader.chain

    def address(self, given: str | None) -> str:
        """`given` in checksummed form, or the account's own address."""
        if given is None:
            return self.signer.address
        from eth_utils.address import is_address, to_checksum_address

        if not is_address(given):
            raise UsageError(f"{given!r} is not an address: 0x and 40 hexadecimal digits")
        return str(to_checksum_address(given))

    def close(self) -> None:
        for name in ("reader", "trader"):
            if name in self.__dict__:
                self.__dict__[name].close()


Url = Annotated[
    str | None,
    typer.Option("--url", envvar="OURO_URL", help="The exchange's base URL.", show_default="http://127.0.0.1:8000"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Keystore = Annotated[
    Path | None,
    typer.Option("--keystore", envvar="OURO_KEYSTORE", help="Encrypted key file (instead of OURO_KEY)."),
]
RpcUrl = Annotated[
    str | None,
    typer.Option("--rpc-url", envvar="OURO_RPC_URL", help="Your node; the one the exchange announces by default."),
]

_COMMON = (("url", Url, None), ("json", Json, False), ("keystore", Keystore, None))


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register `function(cli, ...)` as a command: adds the common options, prints what it returns, maps errors to exit
    codes.

    The function returns an `output.View` (a table or pairs, with the JSON behind it).
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(**arguments: Any) -> None:
            cli = Cli(*(arguments.pop(option) for option, _, _ in _COMMON))
            try:
                view: output.View = function(cli, **arguments)
                output.show(view, as_json=cli.json)
            except (UsageError, ValueError) as error:
                fail(str(error), ExitCode.USAGE, as_json=cli.json)
            except OuroError as error:
                fail(str(error), _code(error), as_json=cli.json, details=error)
            finally:
                cli.close()
            if view.failed:
                raise typer.Exit(ExitCode.REFUSED)

        hints = get_type_hints(function, include_extras=True)
        _, *own = inspect.signature(function).parameters.values()
        parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
        parameters += [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for option, annotation, default in _COMMON
        ]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(wrapper)
        return function

    return register


def fail(message: str, code: ExitCode, *, as_json: bool = False, details: BaseException | None = None) -> NoReturn:
    """Print one sentence on standard error and end with `code`."""
    if as_json:
        body = {
            "errors": getattr(details, "errors", None) or [{"msg": message}],
            "errorCode": getattr(details, "code", "") or code.name.lower(),
        }
        typer.echo(msgspec.json.encode(body).decode(), err=True)
    else:
        typer.echo(f"ouro: {message}", err=True)
    raise typer.Exit(code)


def _code(error: OuroError) -> ExitCode:
    from ouro.client.errors import NoAccountError, UnreachableError

    if isinstance(error, UnreachableError):
        return ExitCode.CONNECTION
    return ExitCode.USAGE if isinstance(error, NoAccountError) else ExitCode.REFUSED
