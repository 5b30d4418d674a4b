# SPDX-License-Identifier: AGPL-3.0-only
"""Tables, migrations, and transactions that can be undone."""
