// SPDX-License-Identifier: AGPL-3.0-only
/** The protocol's arithmetic. Bound to the contracts by tests/vectors: see test/formulas.test.ts. */

import { abs, ceilDiv, floorDiv, max, min } from "./decimal";

export const PPM = 1_000_000n;
export const SCALE = 1n << 32n;
/** The bounds between which open interest scales initial margin count 10,000 USDC. */
const SCALE_UNIT = 10_000n * 1_000_000n;

export interface Leg {
  size: bigint;
  q: bigint;
  g: bigint;
  price: bigint;
  imfPpm: bigint;
  mmfPpm: bigint;
}

export interface Margin {
  equityScaled: bigint;
  imScaled: bigint;
  mmScaled: bigint;
}

/** Fee in micro-USDC, rounded against who pays it. */
export function fee(notional: bigint, ratePpm: bigint): bigint {
  return ceilDiv(notional * ratePpm, PPM);
}

/** Margin of one position, micro-USDC. */
export function requirement(size: bigint, price: bigint, fractionPpm: bigint): bigint {
  return ceilDiv(abs(size) * price * fractionPpm, PPM);
}

/** Initial margin fraction in ppm at this open interest (micro-USDC of notional). */
export function scaledImf(imfPpm: bigint, scaleFrom: bigint, scaleTo: bigint, notional: bigint): bigint {
  if (scaleTo === 0n) return imfPpm;
  const above = max(0n, notional - scaleFrom * SCALE_UNIT);
  return min(PPM, imfPpm + (above * (PPM - imfPpm)) / ((scaleTo - scaleFrom) * SCALE_UNIT));
}

export function evaluate(cash: bigint, legs: readonly Leg[]): Margin {
  let equityScaled = cash * SCALE;
  let initial = 0n;
  let maintenance = 0n;
  for (const leg of legs) {
    equityScaled += leg.q - leg.size * leg.g + leg.size * leg.price * SCALE;
    initial += requirement(leg.size, leg.price, leg.imfPpm);
    maintenance += requirement(leg.size, leg.price, leg.mmfPpm);
  }
  return { equityScaled, imScaled: initial * SCALE, mmScaled: maintenance * SCALE };
}

/** Covered afterwards, or a reduction that does not worsen health. */
export function allowed(before: Margin, after: Margin): boolean {
  const improves =
    after.mmScaled < before.mmScaled && after.equityScaled * before.mmScaled >= before.equityScaled * after.mmScaled;
  return after.equityScaled >= after.imScaled || improves;
}

export function withdrawable(cash: bigint, margin: Margin): bigint {
  return max(0n, min(cash, floorDiv(margin.equityScaled - margin.imScaled, SCALE)));
}

/**
 * The index price at which equity meets maintenance margin when only this market moves; null when it never does.
 * `equity` and `otherMaintenance` in micro-USDC, the rest in lots and micro-USDC per lot.
 */
export function liquidationPrice(
  size: bigint,
  price: bigint,
  mmfPpm: bigint,
  equity: bigint,
  otherMaintenance: bigint,
): bigint | null {
  if (size === 0n) return null;
  const at =
    size > 0n
      ? ceilDiv((otherMaintenance - equity + size * price) * PPM, size * (PPM - mmfPpm))
      : floorDiv((equity - size * price - otherMaintenance) * PPM, -size * (PPM + mmfPpm));
  return at > 0n ? at : null;
}
