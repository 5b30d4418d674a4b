# SPDX-License-Identifier: Apache-2.0
"""What a client knows between calls: its account, the exchange's configuration, the slots it drew."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from ouro import eip712
from ouro.client.calls import Call
from ouro.client.clock import PROCESS_CLOCK, MillisecondClock, SlotPicker
from ouro.client.config import ClientConfig
from ouro.client.errors import NoAccountError, UnreachableError
from ouro.deployment import DeploymentError
from ouro.reading import ReadProof

PROOF_GOOD_FOR_S = 3_600


@dataclass
class Session:
    """State shared by the flows of one client."""

    account: LocalAccount | None = None
    known_config: ClientConfig | None = None
    slots: SlotPicker = field(default_factory=SlotPicker)
    clock: MillisecondClock = PROCESS_CLOCK
    _proof: ReadProof | None = None

    def config(self) -> Generator[Call[Any], Any, ClientConfig]:
        """The exchange's configuration, asked for once."""
        if self.known_config is None:
            record: dict[str, Any] = yield Call("GET", "/v4/config", dict[str, Any])
            try:
                self.known_config = ClientConfig.from_record(record)
            except DeploymentError as error:
                raise UnreachableError(f"the configuration that the exchange announces is unusable: {error}") from error
        return self.known_config

    @property
    def address(self) -> str:
        """The account's checksummed address. Raises `NoAccountError` when there is none."""
        return str(self._signer().address)

    def read_proof(self, domain: eip712.Domain, *, good_for_s: int = PROOF_GOOD_FOR_S) -> ReadProof:
        """The account's proof that it is read by its owner; signed anew when half of its time has passed."""
        now_s = int(time.time())
        if self._proof is None or self._proof.expiry - now_s < good_for_s // 2:
            key = bytes(self._signer().key)
            self._proof = ReadProof.sign(domain, self.address, now_s + good_for_s, key)
        return self._proof

    def address_or(self, address: str | None) -> str:
        return self.address if address is None else address

    def sign(self, domain: eip712.Domain, primary_type: str, message: dict[str, Any]) -> str:
        """The account's 65-byte EIP-712 signature of `message` as 0x hex."""
        return self.sign_digest(eip712.digest(domain, primary_type, message))

    def sign_digest(self, digest: bytes) -> str:
        return "0x" + eip712.sign(digest, bytes(self._signer().key)).hex()

    def _signer(self) -> LocalAccount:
        if self.account is None:
            raise NoAccountError("this call needs an account: pass account= to the client")
        return self.account
