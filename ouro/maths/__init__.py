# SPDX-License-Identifier: Apache-2.0
"""The formulas of docs/protocol.md, each once, in the contracts' own integer arithmetic. No I/O."""
