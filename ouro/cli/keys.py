# SPDX-License-Identifier: Apache-2.0
"""Where the signing key comes from, and how a new one is made. A key is never a command-line argument."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ouro.cli.output import View
from ouro.cli.run import Cli, UsageError, command

if TYPE_CHECKING:
    from ouro.client import LocalSigner

KEY_VARIABLE = "OURO_KEY"
PASSWORD_VARIABLE = "OURO_KEYSTORE_PASSWORD"


def load_signer(keystore: Path | None) -> LocalSigner:
    """The key of `keystore`, or of OURO_KEY. Raises `UsageError` saying what is missing or wrong."""
    from ouro.client import LocalSigner, SignerError

    try:
        if keystore is not None:
            return LocalSigner.from_keystore(keystore, _password(f"Password of {keystore}: "))
        key = os.environ.get(KEY_VARIABLE)
        if key:
            return LocalSigner.from_key(key)
    except SignerError as error:
        text = str(error) if keystore is not None else f"{KEY_VARIABLE}: {error}"
        raise UsageError(text) from None
    raise UsageError(f"this needs a key: set {KEY_VARIABLE}, or name a key file with --keystore (ouro new-key)")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""

    @command(app, "new-key")
    def new_key(
        _cli: Cli,
        out: Annotated[Path, typer.Option("--out", help="The key file to write; must not exist.")] = Path(
            "ouro-key.json"
        ),
    ) -> View:
        """Make a key and write it to an encrypted key file."""
        from eth_account import Account

        if out.exists():
            raise UsageError(f"{out} exists; choose another name with --out")
        password = _password("Password for the new key: ", confirm=True)
        if not password:
            raise UsageError("the password must not be empty")
        account = Account.create()
        try:
            # Created unreadable to others before anything is in it.
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(account.encrypt(password), file)
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        pairs = {"address": account.address, "keystore": str(out)}
        return View(pairs, pairs=pairs, note=f"Use it with --keystore {out}, or set OURO_KEYSTORE={out}.")

    @command(app, "address")
    def address(cli: Cli) -> View:
        """Show the address of the key in use."""
        return View({"address": cli.signer.address}, pairs={"address": cli.signer.address})


def _password(prompt: str, *, confirm: bool = False) -> str:
    from_environment = os.environ.get(PASSWORD_VARIABLE)
    if from_environment is not None:
        return from_environment
    return str(typer.prompt(prompt.rstrip(": "), hide_input=True, confirmation_prompt=confirm, err=True))
