# SPDX-License-Identifier: Apache-2.0
"""The `ouro` command: trading from a terminal, and the door to the services' own commands."""
