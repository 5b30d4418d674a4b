# SPDX-License-Identifier: AGPL-3.0-only
"""Proofs end: they expire, and session keys are revoked. Subscriptions that rest on them end with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from indexer.api.context import Context
from indexer.api.errors import ApiError, bad_proof
from indexer.reads.owners import Reader, check_still
from indexer.stream.hub import Hub
from ouro.reading import ProofError

EVERY_S = 2.0


async def watch(hub: Hub, context: Context, well: Callable[[], None]) -> None:
    """Look after all proofs until cancelled; `well` hears of each look. Raises what the database raises; to be called
    again then.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        await check(hub, context)
        well()


async def check(hub: Hub, context: Context) -> None:
    """End the subscriptions whose proofs hold no longer."""
    resting = hub.readers()
    if not resting:
        return
    ended = await asyncio.to_thread(_ended, context, {reader for _, _, reader in resting})
    for session, key, reader in resting:
        if reader in ended:
            error = ended[reader]
            hub.lapse(session, key, f"{error.message}, and subscribe again", error.code)


def _ended(context: Context, readers: Iterable[Reader]) -> dict[Reader, ApiError]:
    found: dict[Reader, ApiError] = {}
    with context.reading() as reading:
        for reader in readers:
            try:
                check_still(reading.connection, reading.catalog, reader)
            except ProofError as error:
                found[reader] = bad_proof(error)
    return found
