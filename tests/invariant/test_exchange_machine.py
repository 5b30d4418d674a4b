# SPDX-License-Identifier: AGPL-3.0-only
"""The stateful fuzz: a short run that is the same each time, or a long one.

    OURO_FUZZ_CALLS=1000000 pytest -s tests/invariant

`OURO_FUZZ_SEED` repeats a run, `OURO_FUZZ_SHRINK=1` makes a failure small (slowly), and a long run that found nothing
is written to `bench/results/fuzz.json` with its seed.
"""

import json
import os
import secrets
import time

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test

from tests.invariant.machine import ExchangeMachine
from tests.support.build import ROOT

STEPS = 40
SHORT = 2_400
LEAST_SHARE = 0.6
RESULT = ROOT / "bench" / "results" / "fuzz.json"


@pytest.mark.timeout(0)
def test_contracts_equal_the_model_whatever_happens() -> None:
    calls = int(os.environ.get("OURO_FUZZ_CALLS", SHORT))
    is_long = "OURO_FUZZ_CALLS" in os.environ
    number = int(os.environ.get("OURO_FUZZ_SEED", secrets.randbits(32) if is_long else 1))
    shrink = [Phase.shrink] if os.environ.get("OURO_FUZZ_SHRINK") else []
    profile = settings(
        max_examples=max(1, calls // STEPS),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *shrink],
        print_blob=True,
    )
    print(f"\nseed {number}, {calls} calls")
    started = time.monotonic()
    seed(number)(get_state_machine_test(ExchangeMachine, settings=profile))()
    tally = ExchangeMachine.tally
    result = {
        "seed": number,
        "asked": calls,
        "actions": sum(tally.done.values()) + sum(tally.refused.values()),
        "share_that_took_effect": round(tally.share(), 3),
        "seconds": round(time.monotonic() - started),
        "took_effect": dict(sorted(tally.done.items())),
        "refused": dict(sorted(tally.refused.items())),
        "reasons_of_rejected_fills": dict(sorted(tally.reasons.items())),
    }
    print(json.dumps(result, indent=2))
    assert tally.share() >= LEAST_SHARE, f"too many refusals to mean much: {tally.refused}"
    if is_long:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
