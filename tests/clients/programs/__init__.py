# SPDX-License-Identifier: AGPL-3.0-only
"""Programs that run in the clients' own environments: they know the standard library and their client alone."""
