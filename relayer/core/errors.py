# SPDX-License-Identifier: AGPL-3.0-only
"""Refusals: stable codes for programs, sentences for people."""

from ouro.errors import OuroError


class InputRefusedError(OuroError):
    """An input that breaks the order of things (a block that is no child of the head, an unknown batch).

    The core is unchanged; whoever made the input must not journal it, and has a fault of its own to look into.
    """


class RefusedError(OuroError):
    """A command that is answered with an error. `http_status`, `code` and `param` go to the client as they are, and so
    do `filled`, the lots of the order in question, and `next_revision`, the least that an amend of it may have.
    """

    def __init__(
        self,
        http_status: int,
        code: str,
        message: str,
        param: str = "",
        free_slots: tuple[int, ...] = (),
        filled: int = 0,
        next_revision: int = 0,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.param = param
        self.free_slots = free_slots
        self.filled = filled
        self.next_revision = next_revision
