// SPDX-License-Identifier: AGPL-3.0-only
import { describe, expect, it } from "vitest";
import { held, largest, preview, worth } from "../src/money/account";
import {
  bandLimit,
  lots,
  marketLimit,
  priceText,
  priceUnits,
  sizeText,
  typedLots,
  typedPrice,
  worstLimit,
} from "../src/money/market";
import { drawSlot, message, nextMs, stampFor } from "../src/orders/build";
import { exits, ladder, split, trailing, twap } from "../src/orders/composed";
import { BTC } from "./markets";

const INDEX = 2_225_313n;

describe("prices that are signed", () => {
  it("lie on the tick and are never worse than asked", () => {
    expect(worstLimit(BTC, true, INDEX, 10_000n)).toBe(2_247_500n);
    expect(worstLimit(BTC, false, INDEX, 10_000n)).toBe(2_203_100n);
    for (const buy of [true, false]) expect(worstLimit(BTC, buy, INDEX, 10_000n) % BTC.tick).toBe(0n);
  });

  it("stay within the price band", () => {
    expect(marketLimit(BTC, true, INDEX, 500_000n, INDEX)).toBe(2_447_800n);
    expect(marketLimit(BTC, false, INDEX, 500_000n, INDEX)).toBe(2_002_800n);
    for (const buy of [true, false])
      expect(bandLimit(BTC, buy, INDEX)).toBe(marketLimit(BTC, buy, INDEX, 500_000n, INDEX));
  });
});

describe("what is typed", () => {
  it("is what is signed, to the last unit", () => {
    for (const text of ["0.0001", "12345678901234.5678", "9007199254740993"]) {
      expect(sizeText(BTC, typedLots(BTC, text)!)).toBe(text);
      expect(lots(BTC, text)).toBe(typedLots(BTC, text));
    }
    expect(typedPrice(BTC, "90071992547409.93")).toBe(9_007_199_254_740_993n);
    expect(priceText(BTC, priceUnits(BTC, "22253"))).toBe("22253");
  });

  it("is refused when it is finer than the unit, or no number", () => {
    for (const text of ["0.00001", "1e3", "-1", "", "."]) expect(typedLots(BTC, text)).toBeNull();
    expect(typedPrice(BTC, "1.001")).toBeNull();
  });
});

describe("an order's message", () => {
  const ask = { market: BTC, buy: true, size: 5n, price: INDEX, timeInForce: "GTT" as const };

  it("carries whole numbers, and an expiry that outlives settlement", () => {
    const found = message(ask, "0xab", 120, { generation: 1_700_000_000_500, slot: 7, revision: 0 });
    expect(found.size).toBe(5n);
    expect(found.limitPrice).toBe(INDEX);
    expect(found.expiry).toBe(1_700_000_000 + 28 * 86_400 + 120);
    for (const value of Object.values(found))
      if (typeof value === "number") expect(Number.isSafeInteger(value)).toBe(true);
  });

  it("takes a slot that the exchange offers; what does not rest takes none", () => {
    expect(stampFor(ask, [41]).slot).toBe(41);
    expect(stampFor({ ...ask, timeInForce: "IOC" }).slot).toBe(0);
    for (let draw = 0; draw < 100; draw += 1) {
      const slot = drawSlot();
      expect(slot >= 1 && slot <= 65_535).toBe(true);
    }
  });
});

describe("orders made of several", () => {
  it("split without losing a lot", () => {
    expect(split(10n, 3)).toEqual([4n, 3n, 3n]);
  });

  it("a ladder covers both ends", () => {
    const asks = ladder({ market: BTC, buy: true, timeInForce: "GTT" }, 11n, 2_000_000n, 2_100_000n, 5);
    expect(asks.map((ask) => ask.price)).toEqual([2_000_000n, 2_025_000n, 2_050_000n, 2_075_000n, 2_100_000n]);
    expect(asks.reduce((sum, ask) => sum + ask.size, 0n)).toBe(11n);
  });

  it("exits of a long sell, at or above and at or below", () => {
    const [profit, loss] = exits(BTC, true, 5n, { takeProfit: 2_300_000n, stopLoss: 2_100_000n }, { parentAt: 0 });
    expect([profit!.buy, profit!.trigger, loss!.trigger]).toEqual([false, "AT_OR_ABOVE", "AT_OR_BELOW"]);
    expect(profit!.extras!.oco).toBe(loss!.extras!.oco);
    expect([profit!.reduceOnly, profit!.extras!.parentAt, profit!.extras!.immediate]).toEqual([true, 0, true]);
    expect(loss!.price < 2_100_000n).toBe(true);
  });

  it("a TWAP ends on time and each part outlives its moment", () => {
    const parts = twap({ market: BTC, buy: true, price: 1n, timeInForce: "GTT" }, 10n, 5, 600, 1_000);
    expect(parts.map((part) => part.extras!.notBefore)).toEqual([1_000, 151_000, 301_000, 451_000, 601_000]);
    for (const part of parts) expect(part.lifetimeS! * 1000 + 1_000 > part.extras!.notBefore!).toBe(true);
  });

  it("a trailing stop keeps its distance at every step", () => {
    const chain = trailing(BTC, false, 5n, INDEX, 100_000n, 20, true);
    expect(chain.length).toBe(21);
    for (const [at, ask] of chain.entries()) {
      if (at === 0) continue;
      expect(ask.extras!.armPrice! - ask.triggerPrice!).toBe(100_000n);
      expect(ask.extras!.replacesAt).toBe(at - 1);
      expect(ask.triggerPrice! > chain[at - 1]!.triggerPrice!).toBe(true);
    }
  });

  it("generations only grow", () => {
    const seen = Array.from({ length: 50 }, nextMs);
    expect(new Set(seen).size).toBe(50);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });
});

describe("what an order would make of the account", () => {
  const POSITION = {
    market: "BTC-USD",
    status: "OPEN",
    side: "LONG" as const,
    size: "0.5",
    maxSize: "0.5",
    entryPrice: "22000",
    exitPrice: null,
    realizedPnl: "0",
    unrealizedPnl: "0",
    createdAt: "",
    closedAt: null,
    sumOpen: "0.5",
    sumClose: "0",
    netFunding: "0",
    fees: "0",
    positionId: "",
  };
  const long = held(BTC, POSITION, INDEX, 50_000n);
  const all = worth(5_000_000_000n, [long]);
  const order = { market: BTC, price: INDEX, index: INDEX, imfPpm: 50_000n, feePpm: 350n, reduceOnly: false };

  it("values a position at the index price", () => {
    expect(long.unrealized).toBe(126_565_000n);
    expect(all.equity).toBe(5_126_565_000n);
    expect(all.initial).toBe(556_328_250n);
  });

  it("adds, reduces and turns", () => {
    expect(preview({ ...order, size: 5_000n }, long, all).sizeAfter).toBe(10_000n);
    expect(preview({ ...order, size: -5_000n }, long, all)).toMatchObject({
      sizeAfter: 0n,
      liquidation: null,
      entryAfter: null,
    });
    expect(preview({ ...order, size: -8_000n }, long, all)).toMatchObject({ sizeAfter: -3_000n, entryAfter: INDEX });
    expect(preview({ ...order, size: -8_000n, reduceOnly: true }, long, all).sizeAfter).toBe(0n);
  });

  it("the largest size is enough, and ten percent more is not", () => {
    const most = largest(true, INDEX, INDEX, 50_000n, 350n, 20n, long, all);
    expect(preview({ ...order, size: most }, long, all).enough).toBe(true);
    expect(preview({ ...order, size: (most * 11n) / 10n }, long, all).enough).toBe(false);
  });
});
