# SPDX-License-Identifier: AGPL-3.0-only
"""The deterministic matching core: inputs in, outputs out; no clock, no I/O, no floats.

How a service drives it::

    core = Core(config)
    journal.replay(lambda record: core.apply(inputs.decode(record)), core.trail_hash)   # recovery
    ...
    outputs = core.apply(item)                      # decide (InputRefusedError: unchanged, do not journal the item)
    future = journal.append([inputs.encode(item)], core.trail_hash())
    await asyncio.wrap_future(future)               # group commit: on disk
    release(outputs)                                # only now may answers, events or transactions leave

`Tick` is the only clock: give one before a command whenever the wall clock's millisecond moved. Queries change nothing:
`core.next_batch()` (fills and packed orders for the next settlement), `core.order(id)`, `core.book(market)`,
`core.state_hash()` (all of the state, slow) and `core.trail_hash()` (rolling hash of every output, cheap).
"""

from relayer.core.config import CORE_VERSION, CoreConfig
from relayer.core.core import Core
from relayer.core.errors import InputRefusedError, RefusedError
from relayer.core.fills import Batch
from relayer.core.outputs import NextBatch

__all__ = [
    "CORE_VERSION",
    "Batch",
    "Core",
    "CoreConfig",
    "InputRefusedError",
    "NextBatch",
    "RefusedError",
]
