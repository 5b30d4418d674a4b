// SPDX-License-Identifier: AGPL-3.0-only
/** Indicators, for drawing only: these are the app's only floats. */

export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export interface Point {
  time: number;
  value: number;
}

const points = (bars: readonly Bar[], values: readonly number[]): Point[] =>
  values.flatMap((value, at) => (Number.isFinite(value) ? [{ time: bars[at]!.time, value }] : []));

function emaOf(values: readonly number[], length: number): number[] {
  const weight = 2 / (length + 1);
  let held = NaN;
  return values.map((value) => {
    if (!Number.isFinite(value)) return NaN;
    held = Number.isFinite(held) ? value * weight + held * (1 - weight) : value;
    return held;
  });
}

export const ema = (bars: readonly Bar[], length: number): Point[] =>
  points(
    bars,
    emaOf(
      bars.map((bar) => bar.close),
      length,
    ).map((value, at) => (at < length - 1 ? NaN : value)),
  );

/** Middle, upper and lower band: mean and two standard deviations. */
export function bollinger(
  bars: readonly Bar[],
  length = 20,
  width = 2,
): { middle: Point[]; upper: Point[]; lower: Point[] } {
  const means: number[] = [];
  const spreads: number[] = [];
  bars.forEach((_, at) => {
    if (at < length - 1) {
      means.push(NaN);
      spreads.push(NaN);
      return;
    }
    const window = bars.slice(at - length + 1, at + 1).map((bar) => bar.close);
    const mean = window.reduce((sum, value) => sum + value, 0) / length;
    means.push(mean);
    spreads.push(Math.sqrt(window.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length));
  });
  return {
    middle: points(bars, means),
    upper: points(
      bars,
      means.map((mean, at) => mean + width * spreads[at]!),
    ),
    lower: points(
      bars,
      means.map((mean, at) => mean - width * spreads[at]!),
    ),
  };
}

/** Wilder's relative strength, 0 to 100. */
export function rsi(bars: readonly Bar[], length = 14): Point[] {
  let gain = 0;
  let loss = 0;
  const values = bars.map((bar, at) => {
    if (at === 0) return NaN;
    const change = bar.close - bars[at - 1]!.close;
    const [up, down] = [Math.max(0, change), Math.max(0, -change)];
    if (at <= length) {
      gain += up / length;
      loss += down / length;
      if (at < length) return NaN;
    } else {
      gain = (gain * (length - 1) + up) / length;
      loss = (loss * (length - 1) + down) / length;
    }
    return loss === 0 ? (gain === 0 ? 50 : 100) : 100 - 100 / (1 + gain / loss);
  });
  return points(bars, values);
}

export function macd(
  bars: readonly Bar[],
  fast = 12,
  slow = 26,
  smooth = 9,
): { line: Point[]; signal: Point[]; histogram: Point[] } {
  const closes = bars.map((bar) => bar.close);
  const [quick, late] = [emaOf(closes, fast), emaOf(closes, slow)];
  const line = quick.map((value, at) => (at < slow - 1 ? NaN : value - late[at]!));
  const signal = emaOf(line, smooth).map((value, at) => (at < slow + smooth - 2 ? NaN : value));
  return {
    line: points(bars, line),
    signal: points(bars, signal),
    histogram: points(
      bars,
      line.map((value, at) => value - signal[at]!),
    ),
  };
}
