# SPDX-License-Identifier: AGPL-3.0-only
"""Structured logs: one JSON object per line on stdout."""

import logging
import sys
from typing import TypeAlias

import structlog

Logger: TypeAlias = structlog.typing.FilteringBoundLogger

_QUIET = ("httpx", "httpcore", "uvicorn.access", "web3", "urllib3", "websockets")


def configure(level: str) -> None:
    """Sends our own and the libraries' log lines to stdout as JSON. `level` is a name such as `info`."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def logger(part: str) -> Logger:
    """A logger whose lines say which part of the relayer speaks."""
    lazy: Logger = structlog.get_logger(part=part)
    return lazy
