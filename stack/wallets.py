# SPDX-License-Identifier: AGPL-3.0-only
"""Who is who on the local chain: the development accounts of anvil, given roles.

The mnemonic is public and the same everywhere, so these keys must never hold anything of value.
"""

from enum import IntEnum
from functools import cache

from eth_account import Account
from eth_account.signers.local import LocalAccount

MNEMONIC = "test test test test test test test test test test test junk"


class Role(IntEnum):
    """Index of each role's account under `MNEMONIC`. The deploy script uses the first three."""

    DEPLOYER = 0
    OPERATOR = 1
    PRICE_SIGNER = 2
    KEEPER = 3
    EXAMPLE_TRADER = 4
    FAUCET = 5
    MAKER_BTC = 10
    MAKER_ETH = 11
    TRADER_ONE = 12
    TRADER_TWO = 13
    GAMBLER = 14


@cache
def wallet(role: Role) -> LocalAccount:
    """The account that plays `role` on the local chain."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{int(role)}")
    return account


def key_hex(role: Role) -> str:
    """The private key of `role` as 0x hex, the form in which services and the command line take keys."""
    return "0x" + bytes(wallet(role).key).hex()
