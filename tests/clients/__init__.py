# SPDX-License-Identifier: AGPL-3.0-only
"""Other projects' clients, unchanged, against a real local stack."""
