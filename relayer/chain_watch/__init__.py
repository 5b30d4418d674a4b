# SPDX-License-Identifier: AGPL-3.0-only
"""Follows the chain and tells the core, block by block."""

from ouro.node_answers import NonsenseError
from relayer.chain_watch.rpc import Rpc, RpcError, RpcUnreachableError
from relayer.chain_watch.watcher import ChainWatcher

__all__ = ["ChainWatcher", "NonsenseError", "Rpc", "RpcError", "RpcUnreachableError"]
