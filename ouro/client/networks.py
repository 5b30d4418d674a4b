# SPDX-License-Identifier: Apache-2.0
"""Where exchanges are. A preset fixes the chain, so that no answer of a server can lead a signature elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """An exchange by its front door. `chain_id` and `exchange` (the contract), where given, must be what it announces;
    `rpc_url` is the node for one's own transactions, "" for the one that it announces.
    """

    url: str
    chain_id: int | None = None
    exchange: str = ""
    rpc_url: str = ""


LOCAL = Network("http://127.0.0.1:8000", chain_id=31_337)
"""The local stack (`make up`)."""

NETWORKS = {"local": LOCAL}
"""The presets by name."""


def network(named: Network | str | None = None) -> Network:
    """A network by its preset's name or its URL; without either `OURO_URL`, or the local stack."""
    if isinstance(named, Network):
        return named
    text = named or os.environ.get("OURO_URL") or "local"
    preset = NETWORKS.get(text)
    return preset if preset is not None else Network(text.rstrip("/"))
