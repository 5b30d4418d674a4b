# SPDX-License-Identifier: Apache-2.0
"""How far long work is: one line on standard error, only where a person looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CLEAR = "\r\x1b[K"


@contextmanager
def counted(what: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Gives a function that shows how many there are so far. The line goes when the work is over."""
    shown = not quiet and sys.stderr.isatty()

    def count(number: int) -> None:
        if shown:
            print(f"{_CLEAR}{number:,} {what} …", end="", file=sys.stderr, flush=True)

    try:
        yield count
    finally:
        if shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """Says what is being waited for while it lasts."""
    shown = not quiet and sys.stderr.isatty()
    if shown:
        print(f"{what} …", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
