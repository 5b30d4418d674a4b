# SPDX-License-Identifier: AGPL-3.0-only
"""What the compiler must be told about a class; without it nothing is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**_: object) -> object:
        """`allow_interpreted_subclasses=True`: objects can be made without `__init__`, as a snapshot does."""
        return lambda kind: kind
