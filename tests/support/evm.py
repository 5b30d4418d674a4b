# SPDX-License-Identifier: AGPL-3.0-only
"""An in-process EVM (pyrevm): some thousand calls a second, so that fuzzing is cheap.

Storage stays warm between calls here; measure gas on anvil.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pyrevm
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.support.abi import RawLog, RevertError
from tests.support.chain import Receipt

CHAIN_ID = 31_337
START = 1_700_000_000
BLOCK_GAS = 30_000_000
RICH = 10**24
NOBODY = "0x" + "00" * 20
_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class Deployer(Protocol):
    """May put other code in the place of what a test deploys: coverage and mutation testing do."""

    code_size_limit: int | None

    def code_for(self, evm: "Evm", code: bytes) -> bytes: ...


deployer: Deployer | None = None


class Evm:
    """Implements `Chain`. Each transaction is its own block unless `same_block` is in force."""

    def __init__(self, chain_id: int = CHAIN_ID, start: int = START):
        limit = deployer.code_size_limit if deployer else None
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id, limit_contract_code_size=limit))
        self._evm = pyrevm.EVM(env=env, spec_id="CANCUN", gas_limit=2**62)
        self._number = 1
        self._now = start
        self._rich: set[str] = set()
        self._set_block()

    @property
    def now(self) -> int:
        """The time of the block being built, in seconds."""
        return self._now

    def _set_block(self) -> None:
        block = pyrevm.BlockEnv(number=self._number, timestamp=self._now, gas_limit=2**62, basefee=0)
        self._evm.set_block_env(block)

    def warp(self, seconds: int) -> None:
        """Move the clock forward."""
        self._now += seconds
        self._number += 1
        self._set_block()

    def warp_to(self, time: int) -> None:
        self.warp(time - self._now)

    def fund(self, account: str) -> None:
        """Give an account ether once."""
        if account not in self._rich:
            self._evm.set_balance(account, RICH)
            self._rich.add(account)

    def create(self, sender: str, code: bytes) -> str:
        self.fund(sender)
        self._evm.reset_transient_storage()
        if deployer:
            code = deployer.code_for(self, code)
        try:
            return to_checksum_address(self._evm.deploy(sender, code))
        except RuntimeError as error:
            raise _reverted(error) from None

    def set_code(self, address: str, code: bytes) -> None:
        """Put code at an address, as EIP-7702 or a test double would."""
        self._evm.insert_account_info(address, pyrevm.AccountInfo(nonce=1, code=code))
        self._rich.discard(address)

    def accounts(self) -> set[str]:
        """Every address that was ever looked at here, also by a call that reverted."""
        return set(self._evm.db_accounts)

    def code(self, address: str) -> bytes:
        return bytes(self._evm.get_code(address) or b"")

    def storage(self, address: str, slot: int) -> int:
        return self._evm.storage(address, slot)

    def set_mapping(self, address: str, slot: int, key: int, value: int) -> None:
        """Write an entry of a Vyper mapping, to reach states that would take years."""
        place = keccak(slot.to_bytes(32, "big") + key.to_bytes(32, "big"))
        self.set_storage(address, int.from_bytes(place, "big"), value)

    def set_storage(self, address: str, slot: int, value: int) -> None:
        """Write one word of a contract's storage."""
        self._evm.insert_account_storage(address, slot, value % 2**256)

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        """An eth_call: whatever it writes is undone."""
        mark = self._evm.snapshot()
        try:
            self._evm.reset_transient_storage()
            return bytes(self._evm.message_call(sender or NOBODY, to, data))
        except RuntimeError as error:
            raise _reverted(error) from None
        finally:
            self._evm.revert(mark)

    def transact(self, sender: str, to: str, data: bytes, gas: int | None = None) -> Receipt:
        self.fund(sender)
        self._evm.reset_transient_storage()
        try:
            output = self._evm.message_call(sender, to, data, gas=gas or BLOCK_GAS)
        except RuntimeError as error:
            raise _reverted(error) from None
        result = self._evm.result
        assert result is not None
        logs = tuple(RawLog(log.address, tuple(log.data[0]), bytes(log.data[1])) for log in result.logs)
        return Receipt(bytes(output), result.gas_used, logs)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens inside is undone at the end, time included."""
        mark, now, number, rich = self._evm.snapshot(), self._now, self._number, set(self._rich)
        try:
            yield
        finally:
            self._evm.revert(mark)
            self._now, self._number, self._rich = now, number, rich
            self._set_block()


def _reverted(error: RuntimeError) -> RevertError:
    match = _OUTPUT.search(str(error))
    if match is None:
        return RevertError(b"", f"halted: {error}")
    return RevertError(bytes.fromhex(match.group(1)))
