# SPDX-License-Identifier: AGPL-3.0-only
"""Calls that nobody but their role may make (I16), by those who are none of them."""

import pytest

from tests.contracts.test_roles import GUARDED, contract
from tests.support.abi import RevertError
from tests.support.twin import Twin

PRIVILEGED = [
    (place, name, told)
    for place, functions in GUARDED.items()
    for name, (_, told) in functions.items()
    if name != "begin_settling"  # anyone's after a silence of the operator
]


def intrude(twin: Twin, sender: str, call: tuple[str, str, str]) -> None:
    """It must be refused for who the sender is, whatever state the exchange is in."""
    place, name, told = call
    target = contract(twin.world, place)
    with pytest.raises(RevertError) as refusal:
        getattr(target.send(sender), name)(*target.abi.functions[name].blank())
    assert refusal.value.reason == told, f"{place}.{name}"
    twin.tally.count("intrude", took_effect=False)
