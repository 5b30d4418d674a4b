# SPDX-License-Identifier: AGPL-3.0-only
"""`python -m relayer run` is `ouro relayer run`."""

from relayer.cli import app

app(prog_name="ouro relayer")
