// SPDX-License-Identifier: AGPL-3.0-only
/** Candles as bars without holes: an interval without a trade stands still at the last close. */

import type { Candle } from "../api/types";
import type { Bar } from "./indicators";

export const RESOLUTIONS = [
  ["1MIN", "1m", 60],
  ["5MINS", "5m", 300],
  ["15MINS", "15m", 900],
  ["30MINS", "30m", 1_800],
  ["1HOUR", "1h", 3_600],
  ["4HOURS", "4h", 14_400],
  ["1DAY", "1d", 86_400],
] as const;

export type Resolution = (typeof RESOLUTIONS)[number][0];

export const secondsOf = (resolution: Resolution): number => RESOLUTIONS.find(([key]) => key === resolution)![2];

const MOST_FILLED = 3_000;

export const bar = (candle: Candle): Bar => ({
  time: Date.parse(candle.startedAt) / 1000,
  open: Number(candle.open),
  high: Number(candle.high),
  low: Number(candle.low),
  close: Number(candle.close),
  volume: Number(candle.baseTokenVolume),
});

/** `newest` and what of `rest` is older, both newest first; where both have a candle, the one of `newest` holds. */
export function joined(newest: readonly Candle[], rest: readonly Candle[]): readonly Candle[] {
  const oldest = newest.at(-1)?.startedAt;
  if (oldest === undefined) return rest;
  return [...newest, ...rest.filter((candle) => Date.parse(candle.startedAt) < Date.parse(oldest))];
}

/** `candles` newest first, as the API gives them. */
export function bars(candles: readonly Candle[], resolution: Resolution): Bar[] {
  const seconds = secondsOf(resolution);
  const out: Bar[] = [];
  for (let at = candles.length - 1; at >= 0; at -= 1) {
    const next = bar(candles[at]!);
    const last = out.at(-1);
    if (last && next.time <= last.time) continue;
    if (last) fill(out, last, next.time, seconds);
    out.push(next);
  }
  return out;
}

function fill(out: Bar[], last: Bar, until: number, seconds: number): void {
  const holes = (until - last.time) / seconds - 1;
  if (holes > MOST_FILLED) return;
  for (let time = last.time + seconds; time < until; time += seconds) {
    out.push({ time, open: last.close, high: last.close, low: last.close, close: last.close, volume: 0 });
  }
}
