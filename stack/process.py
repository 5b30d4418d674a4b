# SPDX-License-Identifier: AGPL-3.0-only
"""What every small program of the stack shares: plain log lines on stdout, and a loop that a signal ends."""

import logging
import signal
import sys
import threading

import requests
from web3.exceptions import Web3Exception

#: What a node that is slow, restarting or refusing raises through web3.
CHAIN_TROUBLE = (requests.RequestException, Web3Exception, ConnectionError)


def log_to_stdout() -> None:
    """Log lines to stdout, which the supervisor keeps in the program's log file."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


class Stop:
    """Becomes true when SIGTERM or SIGINT arrives."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self._event.set())

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep; True as soon as it is time to end."""
        return self._event.wait(seconds)
