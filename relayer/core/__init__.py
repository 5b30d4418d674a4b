# SPDX-License-Identifier: AGPL-3.0-only
"""The deterministic matching core: inputs in, outputs out; no clock, no I/O, no floats.

How a service drives it::

    core = Core(config)
    for entry in journal.replay():                  # recovery: the same inputs give the same outputs
        core.apply(inputs.decode(entry.payload))
    ...
    outputs = core.apply(item)                      # decide (raises InputRefused, unchanged, if the item breaks the order of things)
    ticket = journal.append([inputs.encode(item)], core.trail_hash())
    ticket.result()                                 # group commit: on disk
    release(outputs)                                # only now may answers, events or transactions leave

`Tick` is the only clock: give one before a command whenever the wall clock's millisecond moved. Queries change nothing:
`core.next_batch()` (fills and packed orders for the next settlement), `core.order(id)`, `core.book(market)`,
`core.state_hash()` (all of the state, slow) and `core.trail_hash()` (rolling hash of every output, cheap).
"""
