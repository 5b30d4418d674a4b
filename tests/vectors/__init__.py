# SPDX-License-Identifier: AGPL-3.0-only
"""JSON vectors and the script that writes them."""
