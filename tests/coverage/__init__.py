# SPDX-License-Identifier: AGPL-3.0-only
"""Which lines of the contracts the tests execute, and by which test: see docs/testing.md."""

# The one place that says how much must be executed, in percent of all statements. `make coverage` fails below it.
THRESHOLD = 100

TESTS = ("tests/contracts", "tests/attacks", "tests/invariant")
