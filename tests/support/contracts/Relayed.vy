# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Several calls in one transaction
@license GNU Affero General Public License v3.0 only
@notice What an attacker's contract, or a forwarder, would do.
"""

struct Call:
    target: address
    data: Bytes[4096]


@external
def run(calls: DynArray[Call, 8]):
    """
    @notice All of them, or none.
    """
    for call: Call in calls:
        raw_call(call.target, call.data)


@external
def try_run(calls: DynArray[Call, 8]) -> DynArray[bool, 8]:
    """
    @return Which of them succeeded.
    """
    answers: DynArray[bool, 8] = []
    for call: Call in calls:
        answers.append(raw_call(call.target, call.data, revert_on_failure=False))
    return answers
