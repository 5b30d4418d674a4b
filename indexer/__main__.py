# SPDX-License-Identifier: AGPL-3.0-only
"""`python -m indexer`: the same as `ouro indexer`."""

from indexer.cli import app

app(prog_name="ouro indexer")
