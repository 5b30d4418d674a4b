# SPDX-License-Identifier: AGPL-3.0-only
"""A relayer between a hostile node and a chain that reorganises: every fill settles exactly once, or not at all."""
