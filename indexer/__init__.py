# SPDX-License-Identifier: AGPL-3.0-only
"""Chain and relayer log into a database, and the front door that answers from it."""
