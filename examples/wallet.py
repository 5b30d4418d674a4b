# SPDX-License-Identifier: Apache-2.0
"""Who trades in the examples: the key of OURO_KEY, or a new one, with test money on the local stack."""

import os
from decimal import Decimal

from ouro.client import LocalSigner, NotFoundError, OuroClient

ENOUGH = 5_000
"""USDC on the exchange."""


def trader() -> LocalSigner:
    """A key whose account holds enough to trade."""
    key = os.environ.get("OURO_KEY")
    signer = LocalSigner.from_key(key) if key else LocalSigner.create()
    with OuroClient(signer=signer) as client:
        try:
            held = client.account.subaccount().free_collateral
        except NotFoundError:  # before its first deposit
            held = Decimal(0)
        if held < ENOUGH:
            client.chain.faucet("20000")  # test USDC, and coin for gas
            client.chain.wait_until_seen(client.chain.deposit("15000"))
    return signer
