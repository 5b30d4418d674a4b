// SPDX-License-Identifier: AGPL-3.0-only
/** The size as a share of the most that can be traded. */

import { computed } from "@preact/signals";
import { ceilDiv, fixed } from "../../../money/decimal";
import { PPM } from "../../../money/formulas";
import { sizeText } from "../../../money/market";
import { imfPpmOf } from "../../../state/account";
import { settings } from "../../../state/settings";
import { market } from "../../../state/venue";
import { plan } from "./plan";
import * as ticket from "./state";

/** How much of the most the size is, in percent. */
export const share = computed(() => {
  const current = plan.value;
  if (!current || current.most === 0n) return 0;
  return Math.min(100, Number((current.lots * 100n) / current.most));
});

/** Writes the size that is so many percent of the most. */
export function takeShare(percent: number): void {
  const current = plan.value;
  if (!current) return;
  const lots = (current.most * BigInt(percent)) / 100n;
  const at = current.expected ?? 0n;
  ticket.size.value =
    lots === 0n
      ? ""
      : settings.value.sizeUnit === "base"
        ? sizeText(current.market, lots)
        : fixed(ceilDiv(lots * at, 10_000n), 2, 2);
}

export const highestLeverage = computed(() => {
  const m = market.value;
  return m ? Number(PPM / imfPpmOf(m)) : 20;
});
