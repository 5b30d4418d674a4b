# SPDX-License-Identifier: AGPL-3.0-only
"""Takes matched fills to the chain, exactly once."""

from relayer.settlement.config import SettlerConfig
from relayer.settlement.operator import Operator, OperatorKeyError
from relayer.settlement.settler import Settler
from relayer.settlement.signers import SignerError

__all__ = ["Operator", "OperatorKeyError", "Settler", "SettlerConfig", "SignerError"]
