# SPDX-License-Identifier: AGPL-3.0-only
"""What goes on behind the front door: its parts outlive what is wrong outside, and tell of it; they end with what is
wrong in themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from indexer.chain.rpc import NodeError
from indexer.orders.event_log import RelayerLogError
from indexer.troubles import Troubles
from ouro.errors import OuroError

_log = structlog.get_logger(__name__)

_RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0)
_LOGGED_EVERY = 20
_OURS = ("no such table", "no such column", "syntax error")
"""What SQLite reports as it reports a full disk, though the fault is not outside."""
_MOST = 500

Well = Callable[[], None]


class CannotStartError(OuroError):
    """What is needed from the beginning is not there."""


class PartFailedError(OuroError):
    """A part ended for a reason that trying again does not mend."""


def retry_s(failures: int) -> float:
    """How long to wait after so many failures before."""
    return _RETRY_S[min(failures, len(_RETRY_S) - 1)]


def is_outside(error: BaseException) -> bool:
    """Whether node, relayer, network, database or disk is to blame, so that it may pass."""
    if isinstance(error, DBAPIError):
        is_gone = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
        return is_gone and not any(words in str(error.orig) for words in _OURS)
    return isinstance(error, NodeError | RelayerLogError | PoolTimeoutError | OSError)


def reason_of(error: BaseException) -> str:
    """Who is to blame, for everybody to read: the log has the words, in which hosts and users are named."""
    match error:
        case NodeError():
            return "the node does not answer"
        case RelayerLogError():
            return "the relayer's log does not answer"
        case DBAPIError() | PoolTimeoutError():
            return "the database does not answer"
    return f"this machine does not do its part: {type(error).__name__}"


def words_of(error: BaseException) -> str:
    """What it says itself, in a line, without the statement that a database refused."""
    told = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(told).split())[:_MOST] or type(told).__name__


async def steady(part: str, run: Callable[[Well], Awaitable[None]], troubles: Troubles) -> None:
    """Run a part again and again while what ends it is outside. It calls what it is given whenever all is well."""
    failures = 0

    def well() -> None:
        nonlocal failures
        if failures:
            _log.info("going on", part=part, failures=failures)
            failures = 0
            troubles.clear(part)

    while True:
        try:
            await run(well)
            return
        except Exception as error:
            if not is_outside(error):
                raise
            troubles.tell(part, reason_of(error))
            if failures % _LOGGED_EVERY == 0:
                _log.warning("trying again", part=part, error=words_of(error), kind=type(error).__name__)
            await asyncio.sleep(retry_s(failures))
            failures += 1


def raise_failure(part: str, failure: BaseException | None) -> None:
    """What ended a part, if anything did: as it is where it says what to do, else as `PartFailedError`."""
    if failure is None:
        return
    if isinstance(failure, OuroError):
        raise failure
    _log.error("a part failed", part=part, error=repr(failure), exc_info=failure)
    raise PartFailedError(
        f"{part} failed: {type(failure).__name__}: {failure}. This is a fault of the indexer, not of what it talks to; "
        "the log says where"
    ) from failure
