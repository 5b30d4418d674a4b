# SPDX-License-Identifier: Apache-2.0
"""The root of every error that Ouro raises on purpose."""


class OuroError(Exception):
    """Something a caller can understand and act on; its text says what was wrong."""
