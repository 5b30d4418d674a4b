// SPDX-License-Identifier: AGPL-3.0-only
/** How amounts look on the screen. */

import { abs, fixed, units } from "./decimal";
import { type Market, USDC_DECIMALS } from "./market";

const MINUS = "−";

/** Thousands by comma. */
export function grouped(text: string): string {
  const negative = text.startsWith("-");
  const [whole = "0", fraction] = (negative ? text.slice(1) : text).split(".");
  let out = "";
  for (let end = whole.length; end > 0; end -= 3) {
    out = whole.slice(Math.max(0, end - 3), end) + (out ? `,${out}` : "");
  }
  return (negative ? MINUS : "") + out + (fraction === undefined ? "" : `.${fraction}`);
}

/** A price on the tick. */
export const price = (m: Market, value: bigint): string => grouped(fixed(value, m.priceDecimals, m.tickDigits));

/** A price that need not be on the tick: index, entry, liquidation. */
export const finePrice = (m: Market, value: bigint): string =>
  grouped(fixed(value, m.priceDecimals, Math.min(m.priceDecimals, Math.max(2, m.tickDigits))));

export const size = (m: Market, value: bigint): string => grouped(fixed(value, m.sizeDecimals, m.sizeDecimals));

export const usd = (micro: bigint, digits = 2): string => {
  const text = grouped(fixed(abs(micro), USDC_DECIMALS, digits));
  return `${micro < 0n && /[1-9]/.test(text) ? MINUS : ""}$${text}`;
};

/** With a sign: profit and loss is told by more than a colour. */
export const signedUsd = (micro: bigint, digits = 2): string => (micro > 0n ? "+" : "") + usd(micro, digits);

const STEPS: readonly [bigint, string][] = [
  [1_000_000_000_000_000n, "B"],
  [1_000_000_000_000n, "M"],
  [1_000_000_000n, "K"],
];

export function compactUsd(micro: bigint): string {
  for (const [step, suffix] of STEPS) {
    if (abs(micro) >= step) {
      const value = micro / (step / 100n);
      return `${value < 0n ? MINUS : ""}$${grouped(fixed(abs(value), 2, 2))}${suffix}`;
    }
  }
  return usd(micro);
}

/** A fraction given as a decimal string, as a percentage. */
export function percent(fraction: string | null | undefined, digits = 2, signed = false): string {
  const value = units(fraction, 14);
  return ratio(value, 100_000_000_000_000n, digits, signed);
}

/** part / whole as a percentage. */
export function ratio(part: bigint, whole: bigint, digits = 2, signed = false): string {
  if (whole === 0n) return "–";
  const scaled = (part * 10n ** BigInt(digits + 2)) / whole;
  const text = grouped(fixed(abs(scaled), digits, digits));
  const sign = scaled < 0n ? MINUS : signed && scaled > 0n ? "+" : "";
  return `${sign + text}%`;
}

/** A leverage such as 3.2x. */
export const times = (part: bigint, whole: bigint): string =>
  whole <= 0n ? "–" : `${fixed((part * 100n) / whole, 2, part * 100n >= whole * 1000n ? 1 : 2)}×`;

/** Made when it is first used: it takes as long as a good part of the page, which a phone notices. */
function formatter(options: Intl.DateTimeFormatOptions): (at: string | number) => string {
  let made: Intl.DateTimeFormat | undefined;
  return (at) => {
    made ??= new Intl.DateTimeFormat(undefined, options);
    return made.format(new Date(at));
  };
}

const day = formatter({ month: "short", day: "2-digit" });
export const clock = formatter({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const moment = (at: string | number): string => `${day(at)} ${clock(at)}`;

/** Time that is left, such as 00:42:10. */
export function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

export const short = (address: string): string => `${address.slice(0, 6)}…${address.slice(-4)}`;
