# SPDX-License-Identifier: AGPL-3.0-only
"""Ports of this machine that services can listen on."""

import random
import socket

HOST = "127.0.0.1"
LOWEST, HIGHEST = 10_000, 32_000
"""Below the numbers that systems give to outgoing connections (32,768 and up on Linux, 49,152 elsewhere): one of those
could be taken by any connection between the moment it is found and the moment a service listens on it, or while that
service starts anew."""


def free_port() -> int:
    """A port that nobody listens on now."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody listens on now. They are drawn by chance, so that two
    processes that look at the same moment do not find the same ones.
    """
    while True:
        first = random.SystemRandom().randrange(LOWEST, HIGHEST - count)
        if not any(port_in_use(port) for port in range(first, first + count)):
            return first


def port_in_use(port: int) -> bool:
    """Whether something listens on this machine's `port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
