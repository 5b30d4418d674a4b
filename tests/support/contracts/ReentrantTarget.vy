# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A target that calls back
@notice Makes the calls it was given when anything calls it, and remembers which of them went through.
"""

struct Step:
    to: address
    data: Bytes[4_096]


steps: DynArray[Step, 4]
answers: public(DynArray[bool, 4])
calls: public(uint256)


@external
def set_steps(steps: DynArray[Step, 4]):
    self.steps = steps


@external
def __default__():
    self.calls += 1
    answers: DynArray[bool, 4] = []
    for step: Step in self.steps:
        answers.append(raw_call(step.to, step.data, revert_on_failure=False))
    self.answers = answers


@external
@view
def went_through() -> DynArray[bool, 4]:
    return self.answers
