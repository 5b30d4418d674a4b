# SPDX-License-Identifier: AGPL-3.0-only
"""The stateful fuzz. `OURO_FUZZ_CALLS` sets how many actions to try; the default is a short run."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariant.machine import ExchangeMachine

STEPS = 40
SHORT = 2_400
LEAST_SHARE = 0.6


def test_contracts_equal_the_model_whatever_happens() -> None:
    calls = int(os.environ.get("OURO_FUZZ_CALLS", SHORT))
    profile = settings(
        max_examples=max(1, calls // STEPS),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=calls == SHORT,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if os.environ.get("OURO_FUZZ_SHRINK") else [Phase.generate],
        print_blob=True,
    )
    run_state_machine_as_test(ExchangeMachine, settings=profile)
    tally = ExchangeMachine.tally
    print(f"\ntook effect: {tally.done}\nrefused: {tally.refused}\nshare {tally.share():.2f}\n{tally.reasons}")
    assert tally.share() >= LEAST_SHARE, f"too many refusals to mean much: {tally.refused}"
