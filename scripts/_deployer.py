# SPDX-License-Identifier: AGPL-3.0-only
"""Deploys contracts and remembers how: what the record says of each."""

from typing import Any

import click
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_utils.crypto import keccak

from scripts._build import EXCHANGE, Code, optimisation
from scripts._chain import checksum, container, instance, readable
from scripts._parameters import Adapter

ADAPTERS = {"chainlink": "ChainlinkAdapter", "pyth": "PythAdapter", "pushed": "PushedOracle"}


class Deployer:
    """Deploys one contract after the other and remembers how."""

    def __init__(self, account: AccountAPI, codes: dict[str, Code], total: int, web3: Any):
        self.account, self.codes, self._total, self._web3 = account, codes, total, web3
        self.contracts: dict[str, str] = {}
        self.code: dict[str, dict[str, Any]] = {}

    def deploy(self, name: str, contract: str, *arguments: Any) -> ContractInstance:
        code = self.codes[contract]
        click.echo(f"[{len(self.code) + 1}/{self._total}] {name}: {contract}")
        with readable(f"deploying {contract}"):
            made = self.account.deploy(container(code), *arguments)
            created = made.creation_metadata
            assert created is not None
            on_chain = bytes(self._web3.eth.get_code(made.address))
        self.contracts[name] = made.address
        self.code[name] = {
            "contract": contract,
            "arguments": [list(each) if isinstance(each, tuple) else each for each in arguments],
            "transaction": created.txn_hash,
            "block": created.block,
            "optimize": optimisation(contract),
            "creationHash": code.creation_hash,
            "runtimeHash": code.runtime_hash,
            "codeHash": "0x" + keccak(on_chain).hex(),
        }
        return instance(made.address, *(self.codes[each] for each in EXCHANGE)) if name == "exchange" else made


def adapter_arguments(adapter: Adapter) -> tuple[Any, ...]:
    """Of the adapter's constructor."""
    if adapter.kind == "pyth":
        assert adapter.pyth is not None
        return checksum(adapter.pyth), adapter.max_confidence_ppm
    if adapter.kind == "pushed":
        assert adapter.signer is not None
        return (checksum(adapter.signer),)
    return ()
