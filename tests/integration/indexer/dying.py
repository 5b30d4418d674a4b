# SPDX-License-Identifier: AGPL-3.0-only
"""An index that writes small batches and is killed within one of them, before it is committed.

python -m tests.integration.indexer.dying RPC_URL DEPLOYMENT DATABASE_URL BATCH
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from indexer.chain import follower
from indexer.store.chain_store import ChainStore
from tests.integration.indexer.index import Index

TOGETHER = 4
"""Events of a batch."""


def main() -> None:
    rpc_url, deployment, database_url, batch = sys.argv[1:]
    follower._TOGETHER = TOGETHER
    finish, left = ChainStore._finish, int(batch)

    def killed(*arguments: Any) -> None:
        nonlocal left
        finish(*arguments)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    ChainStore._finish = killed  # type: ignore[method-assign]
    Index(rpc_url, json.loads(Path(deployment).read_text()), database_url).sync()


if __name__ == "__main__":
    main()
