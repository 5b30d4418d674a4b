# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro demo`: the whole exchange played through without a person, and audited at the end."""

from stack.demo.cli import app

__all__ = ["app"]
