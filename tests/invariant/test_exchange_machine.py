# SPDX-License-Identifier: AGPL-3.0-only
"""The stateful fuzz: a short run that is the same each time, or a long one in two processes.

    OURO_FUZZ_CALLS=1000000 pytest -s tests/invariant

A call is a transaction, whatever it contains. `OURO_FUZZ_SEED` repeats a run, `OURO_FUZZ_SHRINK=1` makes a failure
small (slowly), `OURO_FUZZ_PROCESSES` says how many work at once, and a long run that found nothing is written to
`bench/results/fuzz.json` with its seed.
"""

import json
import multiprocessing
import os
import secrets
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test

from tests.invariant.machine import ExchangeMachine
from tests.support.build import ROOT
from tests.support.twin import Tally

STEPS = 40
CHUNK = 40  # runs between two looks at how many calls were made
SHORT = 4_000
LEAST_SHARE = 0.6
RESULT = ROOT / "bench" / "results" / "fuzz.json"


def play(number: int, calls: int) -> Tally:
    """Runs of the machine, the first from this seed, until so many calls were made."""
    shrink = [Phase.shrink] if os.environ.get("OURO_FUZZ_SHRINK") else []
    profile = settings(
        max_examples=CHUNK,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *shrink],
        print_blob=True,
    )
    ExchangeMachine.tally = tally = Tally()
    while tally.calls < calls:
        print(f"seed {number}, {tally.calls} calls made", flush=True)
        seed(number)(get_state_machine_test(ExchangeMachine, settings=profile))()
        number += 1
    return tally


def play_apart(number: int, calls: int, processes: int) -> Tally:
    """The same calls shared out between processes, with seeds far apart."""
    total = Tally()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        parts = [pool.submit(play, number + (place << 32), calls // processes) for place in range(processes)]
        for part in parts:
            total.add(part.result())
    return total


@pytest.mark.timeout(0)
def test_contracts_equal_the_model_whatever_happens() -> None:
    calls = int(os.environ.get("OURO_FUZZ_CALLS", SHORT))
    is_long = "OURO_FUZZ_CALLS" in os.environ
    processes = int(os.environ.get("OURO_FUZZ_PROCESSES", "2")) if is_long else 1
    number = int(os.environ.get("OURO_FUZZ_SEED", secrets.randbits(32) if is_long else 1))
    started = time.monotonic()
    tally = play_apart(number, calls, processes) if processes > 1 else play(number, calls)
    seconds = time.monotonic() - started
    result = {
        "seed": number,
        "processes": processes,
        "calls": tally.calls,
        "reverted": tally.reverted,
        "share_not_reverted": round(tally.share(), 3),
        "seconds": round(seconds),
        "took_effect": dict(sorted(tally.done.items())),
        "refused": dict(sorted(tally.refused.items())),
        "reasons_of_rejected_fills": dict(sorted(tally.reasons.items())),
    }
    print(json.dumps(result, indent=2))
    assert tally.share() >= LEAST_SHARE, f"too many refusals to mean much: {tally.refused}"
    if is_long:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
