// SPDX-License-Identifier: AGPL-3.0-only
import { describe, expect, it } from "vitest";
import type { Candle } from "../src/api/types";
import { bars, joined } from "../src/chart/bars";
import { type Bar, bollinger, ema, macd, rsi } from "../src/chart/indicators";

const candle = (minute: number, close: string): Candle =>
  ({
    startedAt: new Date(minute * 60_000).toISOString(),
    open: "100",
    high: "120",
    low: "90",
    close,
    baseTokenVolume: "1.5",
  }) as Candle;

const flat = (count: number, close: (at: number) => number): Bar[] =>
  Array.from({ length: count }, (_, at) => ({
    time: at * 60,
    open: close(at),
    high: close(at),
    low: close(at),
    close: close(at),
    volume: 1,
  }));

describe("candles", () => {
  it("of the stream come before those that were read, each once", () => {
    const read = [candle(5, "104"), candle(4, "103"), candle(3, "102"), candle(2, "101")];
    const told = [candle(6, "109"), candle(5, "108"), candle(4, "107")];
    expect(joined(told, read).map((one) => one.close)).toEqual(["109", "108", "107", "102", "101"]);
    expect(joined([], read)).toEqual(read);
    expect(joined(told, [])).toEqual(told);
  });

  it("stand still at the last close while nobody trades", () => {
    const shown = bars([candle(4, "111"), candle(1, "105")], "1MIN");
    expect(shown.map((one) => one.time)).toEqual([60, 120, 180, 240]);
    expect(shown[1]).toEqual({ time: 120, open: 105, high: 105, low: 105, close: 105, volume: 0 });
    expect(shown[3]!.close).toBe(111);
  });
});

describe("indicators", () => {
  it("of a market that stands still stand still", () => {
    const still = flat(60, () => 50);
    for (const point of ema(still, 9)) expect(point.value).toBe(50);
    const { middle, upper, lower } = bollinger(still);
    for (const band of [middle, upper, lower]) for (const point of band) expect(point.value).toBe(50);
    const { line, signal, histogram } = macd(still);
    for (const part of [line, signal, histogram]) for (const point of part) expect(point.value).toBe(0);
  });

  it("tell a rise from a fall", () => {
    const up = flat(60, (at) => 100 + at);
    const down = flat(60, (at) => 100 - at);
    expect(rsi(up).at(-1)!.value).toBe(100);
    expect(rsi(down).at(-1)!.value).toBe(0);
    expect(ema(up, 9).at(-1)!.value).toBeLessThan(159);
    expect(ema(down, 9).at(-1)!.value).toBeGreaterThan(41);
    expect(macd(up).line.at(-1)!.value).toBeGreaterThan(0);
    expect(macd(down).line.at(-1)!.value).toBeLessThan(0);
  });
});
