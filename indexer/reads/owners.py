# SPDX-License-Identifier: AGPL-3.0-only
"""Who may read what only an account's owner sees: who proves to be the owner, or to hold one of its session keys."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, select

from indexer.reads.catalog import Catalog
from indexer.store.schema import session_keys
from ouro.eip712 import Domain
from ouro.reading import ProofError, ReadProof


@dataclass(frozen=True)
class Reader:
    """Somebody who has proven that `owner`'s account is his to read until `expiry` (seconds since 1970, inclusive)."""

    owner: str
    signer: str
    expiry: int


def reader_of(connection: Connection, catalog: Catalog, domain: Domain, owner: str, text: str) -> Reader:
    """Who a proof for `owner` makes its bearer. Raises `ProofError`."""
    proof = ReadProof.parse(text)
    proof.check_time(int(time.time()))
    reader = Reader(owner, proof.signer(domain, owner), proof.expiry)
    _check_signer(connection, catalog, reader)
    return reader


def check_still(connection: Connection, catalog: Catalog, reader: Reader) -> None:
    """Raises `ProofError` when the proof has expired since, or its session key has ended."""
    if reader.expiry < int(time.time()):
        raise ProofError("the proof has expired: sign a new one", expired=True)
    _check_signer(connection, catalog, reader)


def _check_signer(connection: Connection, catalog: Catalog, reader: Reader) -> None:
    if reader.signer == reader.owner:
        return
    key = connection.execute(
        select(session_keys).where(session_keys.c.owner == reader.owner, session_keys.c.key == reader.signer)
    ).first()
    if key is None:
        raise ProofError(
            f"the proof recovers to {reader.signer}, which is neither {reader.owner} nor a session key of it: is it "
            "signed for this account, in the domain that /v4/config announces?"
        )
    # A revoked key signs orders for a while yet, but has nothing more to read.
    if key.revoked_at:
        raise ProofError(f"session key {reader.signer} was revoked: sign with the account or another key of it")
    if key.expiry < max(catalog.time_s, int(time.time())):
        raise ProofError(f"session key {reader.signer} has expired: sign with the account or another key of it")
