# SPDX-License-Identifier: AGPL-3.0-only
"""Logging: one line per event, for people at a terminal and as JSON elsewhere."""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Log to stderr from `level` (debug, info, warning, error) on."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
