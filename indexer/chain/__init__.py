# SPDX-License-Identifier: AGPL-3.0-only
"""From a node to blocks of decoded events."""
