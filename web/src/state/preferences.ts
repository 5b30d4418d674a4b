// SPDX-License-Identifier: AGPL-3.0-only
/** What a person may choose, and what of it a browser's storage is believed: others can write there, too. */

export type Theme = "dark" | "light" | "system";
export type Palette = "standard" | "blue-orange" | "teal-magenta";
export type Category = "order" | "fill" | "liquidation" | "transfer" | "price";

export interface Settings {
  theme: Theme;
  palette: Palette;
  confirmOrders: boolean;
  /** Of a market order, against the best price of the book. */
  slippagePpm: number;
  oneClick: boolean;
  bookSide: "right" | "left";
  muted: Category[];
  sizeUnit: "base" | "usd";
  leverage: number;
}

export const DEFAULTS: Settings = {
  theme: "dark",
  palette: "standard",
  confirmOrders: false,
  slippagePpm: 10_000,
  oneClick: false,
  bookSide: "right",
  muted: [],
  sizeUnit: "base",
  leverage: 10,
};

/** What was kept, where it has the shape of `initial`; the rest is as it was at first. */
export function restored<T>(initial: T, saved: string | null): T {
  let value: unknown;
  try {
    value = saved === null ? initial : JSON.parse(saved);
  } catch {
    return initial;
  }
  const alike = (found: unknown, like: unknown) =>
    typeof found === typeof like && Array.isArray(found) === Array.isArray(like) && found !== null;
  if (!alike(value, initial)) return initial;
  if (!initial || typeof initial !== "object" || Array.isArray(initial)) return value as T;
  // What has no names of its own at first takes any.
  if (Object.keys(initial).length === 0) return value as T;
  const entries = Object.entries(initial as Record<string, unknown>).map(([name, like]) => {
    const found = (value as Record<string, unknown>)[name];
    return [name, alike(found, like) ? found : like];
  });
  return Object.fromEntries(entries) as T;
}

const MOST_SLIPPAGE_PPM = 100_000;

/** A worst price comes from these: what nobody can have chosen is not what was chosen. */
export function sound(value: Settings): Settings {
  const whole = (one: number, least: number, most: number) => Number.isInteger(one) && one >= least && one <= most;
  return {
    ...value,
    slippagePpm: whole(value.slippagePpm, 1, MOST_SLIPPAGE_PPM) ? value.slippagePpm : DEFAULTS.slippagePpm,
    leverage: whole(value.leverage, 1, 1_000) ? value.leverage : DEFAULTS.leverage,
  };
}
