# SPDX-License-Identifier: AGPL-3.0-only
"""What settlement is told."""

from __future__ import annotations

import msgspec

from ouro.units import MAX_BATCH_FILLS

_GWEI = 10**9


class SettlerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How settlement weighs delay against gas.

    A batch goes when it is full, when its oldest fill has waited `batch_max_delay_ms`, or after `batch_delay_ms` when
    it has as many fills as pay off (`pacing.Pace`), a fill's waiting for a second being worth `delay_gwei`. Up to
    `max_in_flight` batches are sent ahead, each on the head that the one before leaves. What is not in a block after
    `resend_s` is sent again, after `bump_s` (or when the base fee has passed its offer) with a higher fee, up to
    `max_fee_wei` per gas, of which at most `max_tip_wei` is tip. `max_unsettled` bounds what measured capacity allows.
    There is an alarm when the gas money pays for fewer than `alarm_batches`.
    """

    exchange: str
    settle_window_s: int
    batch_delay_ms: int = 250
    batch_max_delay_ms: int = 2_000
    delay_gwei: int = 10_000
    full_fills: int = MAX_BATCH_FILLS
    max_in_flight: int = 4
    resend_s: float = 4.0
    bump_s: float = 20.0
    max_fee_wei: int = 500 * _GWEI
    max_tip_wei: int = 5 * _GWEI
    max_unsettled: int = 16_384
    alarm_batches: int = 500
