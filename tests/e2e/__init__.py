# SPDX-License-Identifier: AGPL-3.0-only
"""The whole exchange, used as people use it: by the command line, the SDK, a keeper, the demo."""
