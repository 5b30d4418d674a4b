# SPDX-License-Identifier: Apache-2.0
"""What `ouro doctor` looks at in keys: that a key file is there, private, whole, and opens with its password."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ouro import addresses
from ouro.cli.keys import KEY_VARIABLE, PASSWORD_VARIABLE
from ouro.cli.report import Finding, State

KEEPER_VARIABLE = "OURO_KEEPER_KEY"
OPERATOR_VARIABLE = "OURO_OPERATOR_KEY"
OPERATOR_PASSWORDS = ("OURO_OPERATOR_PASSWORD", "OURO_OPERATOR_PASSWORD_FILE")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keys(keystore: Path | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Every key that the command line and the services would take from this environment."""
    if keystore is not None:
        yield _file("your key", keystore, environment.get(PASSWORD_VARIABLE))
    elif environment.get(KEY_VARIABLE):
        yield _raw("your key", KEY_VARIABLE, environment[KEY_VARIABLE])
    if environment.get(KEEPER_VARIABLE):
        yield _raw("keeper's key", KEEPER_VARIABLE, environment[KEEPER_VARIABLE])
    operator = environment.get(OPERATOR_VARIABLE, "")
    if operator and _is_path(operator):
        yield _file("operator's key", Path(operator), _operator_password(environment))


def address_of(keystore: Path) -> str:
    """The address that a key file names; "" if it names none, or is none."""
    try:
        text = str(json.loads(keystore.read_text())["address"])
        return addresses.parse("0x" + text.removeprefix("0x"))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _file(check: str, path: Path, password: str | None) -> Finding:
    try:
        mode = path.stat().st_mode
        record = json.loads(path.read_text())
    except OSError as error:
        mend = "Name the file where it is (--keystore, OURO_KEYSTORE), or make a key: ouro new-key."
        return Finding(check, State.FAIL, f"{path}: {error.strerror}", mend)
    except ValueError:
        return Finding(check, State.FAIL, f"{path} is no key file", "Restore it from its backup: it holds no JSON.")
    if not isinstance(record, dict) or not isinstance(record.get("crypto", record.get("Crypto")), dict):
        return Finding(
            check, State.FAIL, f"{path} is no key file", "Name one as ouro new-key and Ethereum wallets write it."
        )
    opened = "" if password is None else _opened(record, password)
    if opened is None:
        mend = "Correct the password's variable, or restore the file: without both the key is lost."
        return Finding(check, State.FAIL, f"{path} does not open with the password in the environment", mend)
    who = address_of(path) or opened or "of an address that the file does not tell"
    found = f"{path}, {who}" + ("" if opened else ", password not tried")
    if mode & OTHERS:
        return Finding(check, State.WARN, f"{found}: other users may read it", f"chmod 600 {path}")
    return Finding(check, State.OK, found)


def _opened(record: Mapping[str, Any], password: str) -> str | None:
    """The address of the key in a file, None when the password does not open it."""
    from eth_account import Account

    try:
        return str(Account.from_key(Account.decrypt(dict(record), password)).address)
    except (ValueError, KeyError, TypeError):
        return None


def _raw(check: str, variable: str, key: str) -> Finding:
    from ouro.client import LocalSigner, SignerError

    try:
        address = LocalSigner.from_key(key).address
    except SignerError as error:
        return Finding(check, State.FAIL, f"{variable}: {error}", f"Set {variable} to a private key, or unset it.")
    return Finding(check, State.OK, f"{variable}, {address}")


def _is_path(text: str) -> bool:
    digits = text.strip().removeprefix("0x")
    return "://" not in text and (len(digits) != 64 or bool(set(digits.lower()) - set("0123456789abcdef")))


def _operator_password(environment: Mapping[str, str]) -> str | None:
    given, file = (environment.get(name) for name in OPERATOR_PASSWORDS)
    if not file:
        return given
    try:
        return Path(file).read_text().rstrip("\r\n")
    except OSError:
        return None
