# SPDX-License-Identifier: Apache-2.0
"""The owner's proof: a signed `ReadAccount` that lets a reader see what only the account's owner may see.

As text, in a header or in a stream's `auth`, it is `<expiry>:<0x signature>`; the account it is for is named by the
request.
"""

from __future__ import annotations

from dataclasses import dataclass

from ouro import eip712
from ouro.eip712 import Domain, SignatureError
from ouro.errors import OuroError

HEADER = "Ouro-Read"
MAX_AHEAD_S = 86_400
"""No proof is good for longer than a day."""

_SHAPE = "a proof is <expiry>:<0x signature>, with the expiry in seconds since 1970"
_MAX_TEXT = 160


class ProofError(OuroError, ValueError):
    """A proof that proves nothing. `expired`: a new one by the same signer would do."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True)
class ReadProof:
    """A signature over `ReadAccount`, good until `expiry` (seconds since 1970, inclusive)."""

    expiry: int
    signature: bytes

    @classmethod
    def sign(cls, domain: Domain, account: str, expiry: int, key: bytes) -> ReadProof:
        """By the account itself or by one of its session keys. `domain` is the Exchange's."""
        return cls(expiry, eip712.sign(digest(domain, account, expiry), key))

    @classmethod
    def parse(cls, text: str) -> ReadProof:
        """From its text. Raises `ProofError`."""
        number, _, signature = text.partition(":")
        if len(text) > _MAX_TEXT or not (number.isascii() and number.isdecimal()) or not signature.startswith("0x"):
            raise ProofError(_SHAPE)
        expiry = int(number)
        try:
            raw = bytes.fromhex(signature[2:])
        except ValueError:
            raise ProofError(_SHAPE) from None
        if expiry >= 1 << 32:
            raise ProofError(_SHAPE)
        return cls(expiry, raw)

    def __str__(self) -> str:
        return f"{self.expiry}:0x{self.signature.hex()}"

    def check_time(self, now_s: int) -> None:
        """Raises `ProofError` when it has expired or would be good for too long."""
        if self.expiry < now_s:
            raise ProofError(
                f"the proof expired {now_s - self.expiry} s ago (the clock here is at {now_s}): sign a new one",
                expired=True,
            )
        if self.expiry > now_s + MAX_AHEAD_S:
            raise ProofError(
                f"a proof may be good for {MAX_AHEAD_S} s at most, this one would be for {self.expiry - now_s} s "
                f"(the clock here is at {now_s}): sign an earlier expiry"
            )

    def signer(self, domain: Domain, account: str) -> str:
        """Who signed it, if it is for that account and domain; else an address that nobody has. Raises `ProofError`."""
        try:
            return eip712.recover(digest(domain, account, self.expiry), self.signature)
        except SignatureError as error:
            raise ProofError(f"the proof's signature is none: {error}") from None


def digest(domain: Domain, account: str, expiry: int) -> bytes:
    """What is signed, 32 bytes."""
    return eip712.digest(domain, "ReadAccount", {"account": account, "expiry": expiry})
