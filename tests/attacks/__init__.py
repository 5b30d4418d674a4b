# SPDX-License-Identifier: AGPL-3.0-only
"""One named test per known attack, numbered as in docs/security.md, and the real losses as scenarios."""
