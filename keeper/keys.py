# SPDX-License-Identifier: AGPL-3.0-only
"""The keeper's key: out of the environment, or out of an encrypted key file. Never out of the configuration."""

import json
import os
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount


class NoKeyError(Exception):
    """There is no key, or it cannot be read; the message never holds any of it."""


def from_environment(variable: str) -> LocalAccount:
    """The account whose private key is in an environment variable. Raises `NoKeyError`."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise NoKeyError(f"no key: set {variable} to the private key of the keeper's own account, or name a keystore")
    try:
        account: LocalAccount = Account.from_key(key)
    except (ValueError, TypeError):
        raise NoKeyError(f"{variable} holds no private key: 0x and 64 hexadecimal digits") from None
    return account


def from_keystore(path: Path, password_variable: str) -> LocalAccount:
    """The account of an encrypted key file, such as `ouro new-key` writes. Raises `NoKeyError`."""
    password = os.environ.get(password_variable)
    if password is None:
        raise NoKeyError(f"the keystore {path} needs its password in {password_variable}")
    try:
        record = json.loads(path.read_text())
    except OSError as error:
        raise NoKeyError(f"cannot read the keystore {path}: {error.strerror}") from None
    except ValueError:
        raise NoKeyError(f"{path} is no keystore") from None
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(record, password))
    except (ValueError, KeyError, TypeError):
        raise NoKeyError(f"wrong password for {path}, or the file is damaged") from None
    return account
