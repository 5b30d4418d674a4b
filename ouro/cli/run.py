# SPDX-License-Identifier: Apache-2.0
"""What every command shares: `--url`, `--json`, `--keystore`, for those that change something `--yes` and `--dry-run`;
lazily made clients, exit codes.

Exit codes are stable: 0 done, 1 refused by the exchange or the chain, 2 wrong usage, 3 not reachable, 130 Ctrl-C. An
error is one sentence on standard error (with `--json` an object), never a traceback.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
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
    from ouro.client import LocalSigner, Network, OuroClient
    from ouro.client.modes import Blocking
    from ouro.client.namespaces import Chain


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CONNECTION = 3
    INTERRUPTED = 130


class UsageError(Exception):
    """The command was called in a way that cannot work; the text says how to put it right."""


class DeclinedError(Exception):
    """The person said no."""


class Cli:
    """One run of a command: where the exchange is, which key signs, how to print."""

    def __init__(
        self,
        url: str | None,
        json: bool,
        keystore: Path | None,
        *,
        owner: str | None = None,
        deployment: Path | None = None,
        dry_run: bool = False,
        yes: bool = False,
    ) -> None:
        self.url = url
        self.json = json
        self.keystore = keystore
        self.owner = owner
        self.deployment = deployment
        self.dry_run = dry_run
        self.yes = yes

    @cached_property
    def signer(self) -> LocalSigner:
        """Who signs. Raises `UsageError` when no key is configured."""
        from ouro.cli.keys import load_signer

        return load_signer(self.keystore)

    @cached_property
    def network(self) -> Network:
        """Where the exchange is, and what must be true of it. Raises `DeploymentError`."""
        from ouro.client.networks import network
        from ouro.deployment import Deployment

        known = None if self.deployment is None else Deployment.load(self.deployment)
        return replace(network(self.url), deployment=known)

    @cached_property
    def reader(self) -> OuroClient:
        """A client without an account, for reads."""
        from ouro.client import OuroClient

        return OuroClient(self.network)

    @cached_property
    def trader(self) -> OuroClient:
        """A client that signs. It is strict: who types a price means that price."""
        from ouro.client import OuroClient

        if self.dry_run:
            from ouro.cli.rehearsal import RehearsingClient

            return RehearsingClient(self.network, self.signer, owner=self.owner)
        return OuroClient(self.network, self.signer, owner=self.owner, strict=True)

    def chain(self, rpc_url: str | None) -> Chain[Blocking]:
        """The account's own transactions, through `rpc_url` or the node the exchange announces."""
        self.trader.session.network = replace(self.trader.session.network, rpc_url=rpc_url or "")
        return self.trader.chain

    def address(self, given: str | None) -> str:
        """`given` in checksummed form, or that of the account: the owner's, or the key's own."""
        given = given if given is not None else self.owner
        if given is None:
            return self.signer.address
        from eth_utils.address import is_address, to_checksum_address

        if not is_address(given):
            raise UsageError(f"{given!r} is not an address: 0x and 40 hexadecimal digits")
        return str(to_checksum_address(given))

    def ask(self, what: str) -> None:
        """Let a person at a terminal say yes before anything is signed; programs are not asked.

        Raises `DeclinedError`.
        """
        if self.yes or self.dry_run or self.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        if not typer.confirm(f"{what}. Go on?", err=True):
            raise DeclinedError("nothing was signed or sent")

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

Owner = Annotated[
    str | None,
    typer.Option(
        "--owner", envvar="OURO_OWNER", help="The account, when the key is a session key of it.", show_default="the key"
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--deployment",
        envvar="OURO_DEPLOYMENT_PATH",
        help="Deployment record: sign only for the contracts in it.",
        show_default="what the exchange announces",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="OURO_YES", help="Do not ask before signing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be signed and sent; send nothing.")]

_COMMON = (
    ("url", Url, None),
    ("json", Json, False),
    ("keystore", Keystore, None),
    ("owner", Owner, None),
    ("deployment", Record, None),
)
_CHANGING = (("dry_run", DryRun, False), ("yes", Yes, False))


def command(
    app: typer.Typer, name: str, *, changes: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register `function(cli, ...)` as a command: adds the common options, prints what it returns, maps errors to exit
    codes. One that `changes` something asks first, and can be rehearsed.

    The function returns an `output.View` (a table or pairs, with the JSON behind it).
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        named = inspect.signature(function).parameters
        shared = [each for each in _COMMON + (_CHANGING if changes else ()) if each[0] not in named]

        @functools.wraps(function)
        def wrapper(**arguments: Any) -> None:
            cli = Cli(**{option: arguments.pop(option) for option, _, _ in shared})
            failed = False
            try:
                cli.owner = cli.address(cli.owner) if cli.owner else None
                if changes:
                    cli.ask(_sentence(name, arguments))
                failed = _run(cli, function, arguments)
            except (UsageError, ValueError) as error:
                fail(str(error), ExitCode.USAGE, as_json=cli.json)
            except DeclinedError as error:
                fail(str(error), ExitCode.REFUSED, as_json=cli.json)
            except OuroError as error:
                fail(str(error), _code(error), as_json=cli.json, details=error)
            except KeyboardInterrupt:
                raise typer.Exit(ExitCode.INTERRUPTED) from None
            finally:
                cli.close()
            if failed:
                raise typer.Exit(ExitCode.REFUSED)

        hints = get_type_hints(function, include_extras=True)
        _, *own = inspect.signature(function).parameters.values()
        parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
        parameters += [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for option, annotation, default in shared
        ]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(wrapper)
        return function

    return register


def _run(cli: Cli, function: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    """Run the command and print what it returns, or what it would have sent. Whether it failed all the same."""
    if not cli.dry_run:
        view: output.View = function(cli, **arguments)
        output.show(view, as_json=cli.json)
        return view.failed
    from ouro.cli.rehearsal import RehearsedError, RehearsingClient

    why = ""
    try:
        function(cli, **arguments)
    except RehearsedError as rehearsed:
        why = rehearsed.why
    trader = cli.__dict__.get("trader")
    if not isinstance(trader, RehearsingClient) or not trader.steps:
        raise UsageError("with these arguments there is nothing to sign or send")
    output.show(trader.view(why), as_json=cli.json)
    return False


def _sentence(name: str, arguments: Mapping[str, Any]) -> str:
    """What a person is asked to confirm: the command and all that holds, given or by default."""
    values = ", ".join(
        f"{argument.replace('_', ' ')} {value}"
        for argument, value in arguments.items()
        if value is not None and value is not False and value != ""
    )
    return f"{name}: {values}" if values else name


def fail(message: str, code: ExitCode, *, as_json: bool = False, details: BaseException | None = None) -> NoReturn:
    """Print one sentence on standard error and end with `code`."""
    if as_json:
        body = {
            "errors": getattr(details, "errors", None) or [{"msg": message}],
            "errorCode": getattr(details, "code", "") or code.name.lower(),
        }
        typer.echo(msgspec.json.encode(body).decode(), err=True)
    else:
        typer.echo(f"ouro: {output.text(message)}", err=True)
    raise typer.Exit(code)


def _code(error: OuroError) -> ExitCode:
    from ouro.client.errors import NoAccountError, UnreachableError

    if isinstance(error, UnreachableError):
        return ExitCode.CONNECTION
    return ExitCode.USAGE if isinstance(error, NoAccountError) else ExitCode.REFUSED
