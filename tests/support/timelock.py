# SPDX-License-Identifier: AGPL-3.0-only
"""A Timelock over a deployed exchange: a multisig proposes, executes and cancels, the guardian cancels too."""

from typing import Any

from eth_utils.crypto import keccak

from tests.support.chain import Chain, Contract, Receipt, deploy
from tests.support.wire import wallet

DAY = 86_400
DELAY = 2 * DAY
LIFE = 14 * DAY
NOTICE = 14 * DAY
PROPOSAL_LIFE = 7 * DAY
NONE = bytes(32)
ANYONE = "0x" + "00" * 20
PROPOSER, EXECUTOR, CANCELLER = (keccak(text=f"{name}_ROLE") for name in ("PROPOSER", "EXECUTOR", "CANCELLER"))
UNKNOWN, WAITING, READY, DONE, EXPIRED = range(5)
MULTISIG = wallet("multisig").address
GUARDIAN = wallet("guardian").address

Call = tuple[str, bytes]


class Operation:
    """Calls that were put together, proposed or not."""

    def __init__(self, lock: "Lock", calls: list[Call], salt: bytes = NONE, predecessor: bytes = NONE):
        self.lock = lock
        self.targets, self.payloads = [target for target, _ in calls], [payload for _, payload in calls]
        self.salt, self.predecessor = salt, predecessor
        self.words = (self.targets, self.payloads, predecessor, salt)
        self.id: bytes = lock.contract.call.hash_operation(*self.words)

    @property
    def state(self) -> int:
        return int(self.lock.contract.call.state_of(self.id))

    def schedule(self, sender: str = MULTISIG, delay: int | None = None, until: int | None = None) -> "Operation":
        wait = self.lock.contract.call.get_minimum_delay() if delay is None else delay
        until = self.lock.chain.now + DAY if until is None else until
        self.lock.contract.send(sender).schedule(*self.words, wait, until)
        return self

    def execute(self, sender: str = MULTISIG) -> Receipt:
        return self.lock.contract.send(sender).execute(*self.words)  # type: ignore[no-any-return]

    def cancel(self, sender: str = MULTISIG) -> Receipt:
        return self.lock.contract.send(sender).cancel(self.id)  # type: ignore[no-any-return]


class Lock:
    """The Timelock of a test, which owns `owned`."""

    def __init__(
        self,
        chain: Chain,
        deployer: str,
        *owned: Contract,
        least_delay: int = DELAY,
        delay: int = DELAY,
        multisig: str = MULTISIG,
    ):
        self.chain = chain
        cancellers = [multisig, GUARDIAN]
        self.contract = deploy(chain, deployer, "Timelock", least_delay, delay, [multisig], [multisig], cancellers)
        self.address = self.contract.address
        for each in owned:
            each.send(each.call.owner()).transfer_ownership(self.address)
            self.contract.send(deployer).accept_ownership(each.address)

    def operation(self, *calls: Call, salt: bytes = NONE, predecessor: bytes = NONE) -> Operation:
        return Operation(self, list(calls), salt, predecessor)

    def own(self, name: str, *arguments: Any) -> Call:
        """A call of the Timelock to itself."""
        return self.address, self.contract.data(name, *arguments)
