# SPDX-License-Identifier: Apache-2.0
"""Where exchanges are, and what is known of them before they are asked, so that no answer of a server leads a
signature, or money, elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ouro.deployment import Deployment


@dataclass(frozen=True)
class Network:
    """An exchange by its front door. `chain_id` and `exchange` (the contract), where given, must be what it announces;
    with a `deployment` (a record that one has checked) so must all contracts and the units of the markets in it.
    `rpc_url` is the node for one's own transactions, "" for the one that it announces.
    """

    url: str
    chain_id: int | None = None
    exchange: str = ""
    rpc_url: str = ""
    deployment: Deployment | None = None


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
