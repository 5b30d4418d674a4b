// SPDX-License-Identifier: AGPL-3.0-only
import { describe, expect, it } from "vitest";
import {
  allowed,
  evaluate,
  fee,
  liquidationPrice,
  type Margin,
  SCALE,
  scaledImf,
  withdrawable,
} from "../src/money/formulas";
import { type Int, int, vectors } from "./vectors";

interface LegVector {
  size: Int;
  q: Int;
  g: Int;
  indexPrice: Int;
  imfPpm: Int;
  mmfPpm: Int;
}

interface MarginVector {
  equityScaled: Int;
  imScaled: Int;
  mmScaled: Int;
}

const leg = (one: LegVector) => ({
  size: int(one.size),
  q: int(one.q),
  g: int(one.g),
  price: int(one.indexPrice),
  imfPpm: int(one.imfPpm),
  mmfPpm: int(one.mmfPpm),
});

const margin = (one: MarginVector): Margin => ({
  equityScaled: int(one.equityScaled),
  imScaled: int(one.imScaled),
  mmScaled: int(one.mmScaled),
});

const MARGIN = vectors<{
  accounts: (MarginVector & { name: string; cash: Int; legs: LegVector[]; withdrawable: Int })[];
  changes: { name: string; before: MarginVector; after: MarginVector; allowed: boolean }[];
  scaledImf: { imfPpm: Int; scaleFrom: Int; scaleTo: Int; openInterest: Int; indexPrice: Int; scaledPpm: Int }[];
}>("margin");

describe("the protocol's arithmetic", () => {
  it.each(vectors<{ notional: Int; ratePpm: Int; fee: Int }[]>("fees"))("charges $ratePpm ppm of $notional", (one) => {
    expect(fee(int(one.notional), int(one.ratePpm))).toBe(int(one.fee));
  });

  it.each(MARGIN.accounts)("values $name", (one) => {
    const found = evaluate(int(one.cash), one.legs.map(leg));
    expect(found).toEqual(margin(one));
    expect(withdrawable(int(one.cash), found)).toBe(int(one.withdrawable));
  });

  it.each(MARGIN.changes)("allows or refuses: $name", (one) => {
    expect(allowed(margin(one.before), margin(one.after))).toBe(one.allowed);
  });

  it.each(MARGIN.scaledImf)("scales $imfPpm ppm at $openInterest lots", (one) => {
    const notional = int(one.openInterest) * int(one.indexPrice);
    expect(scaledImf(int(one.imfPpm), int(one.scaleFrom), int(one.scaleTo), notional)).toBe(int(one.scaledPpm));
  });
});

describe("the estimated liquidation price", () => {
  const accounts = vectors<(MarginVector & { name: string; cash: Int; legs: LegVector[] })[]>("liquidation").filter(
    (one) => one.legs.length > 0,
  );

  /** Equity and maintenance margin, micro-USDC, were the first leg's index price another. */
  function at(one: (typeof accounts)[number], price: bigint) {
    const [first, ...rest] = one.legs.map(leg);
    const found = evaluate(int(one.cash), [{ ...first!, price }, ...rest]);
    return found.equityScaled - found.mmScaled;
  }

  it.each(accounts)("is where equity meets maintenance: $name", (one) => {
    const first = leg(one.legs[0]!);
    const now = margin(one);
    const others = evaluate(0n, one.legs.slice(1).map(leg)).mmScaled / SCALE;
    const price = liquidationPrice(first.size, first.price, first.mmfPpm, now.equityScaled / SCALE, others);
    if (price === null) {
      // A long may be safe at any price, since it cannot lose more than it is worth; beside other legs a short may be safe at none.
      expect(at(one, 1n) >= 0n).toBe(first.size > 0n);
      return;
    }
    // Two units of the price are what the roundings of margin and price may amount to.
    const toward = first.size > 0n ? 2n : -2n;
    expect(at(one, price + toward) >= 0n).toBe(true);
    expect(price <= 2n || at(one, price - toward) < 0n).toBe(true);
  });
});
