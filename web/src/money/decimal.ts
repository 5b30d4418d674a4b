// SPDX-License-Identifier: AGPL-3.0-only
/** Whole numbers and the decimals that people read and write. No amount of money is ever a float. */

const PLAIN = /^(-?)(\d*)\.?(\d*)$/;

/** A decimal string of the API in units of 10^-decimals; digits that are finer are cut off. */
export function units(text: string | null | undefined, decimals: number): bigint {
  const match = PLAIN.exec(text ?? "");
  if (!match || (!match[2] && !match[3])) return 0n;
  const fraction = (match[3] ?? "").slice(0, decimals).padEnd(decimals, "0");
  const value = BigInt((match[2] || "0") + fraction);
  return match[1] ? -value : value;
}

const GROUPED = /^[1-9]\d{0,2}([, ])\d{3}(?:\1\d{3})*(?:\.\d*)?$/;

/**
 * What a person typed, exactly; null when it is not a number at or above zero, or finer than the unit. Commas and spaces
 * stand between thousands and nowhere else: who writes 0,5 does not mean 5.
 */
export function parse(text: string, decimals: number): bigint | null {
  const trimmed = text.trim();
  const clean = GROUPED.test(trimmed) ? trimmed.replace(/[, ]/g, "") : trimmed;
  const match = PLAIN.exec(clean);
  if (!match || match[1] || (!match[2] && !match[3])) return null;
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  if (fraction.length > decimals) return null;
  return BigInt((match[2] || "0") + fraction.padEnd(decimals, "0"));
}

/** Plain decimal digits without trailing zeros, as the API takes them. */
export function plain(value: bigint, decimals: number): string {
  const text = fixed(value, decimals, decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** `digits` places after the point, cut off towards zero. */
export function fixed(value: bigint, decimals: number, digits: number): string {
  const negative = value < 0n;
  const whole = (negative ? -value : value).toString().padStart(decimals + 1, "0");
  const cut = whole.length - decimals;
  const fraction = whole.slice(cut).padEnd(digits, "0").slice(0, digits);
  return (negative ? "-" : "") + whole.slice(0, cut) + (digits > 0 ? `.${fraction}` : "");
}

/** Division towards minus infinity. */
export function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by !== 0n && value < 0n !== by < 0n ? quotient - 1n : quotient;
}

export function ceilDiv(value: bigint, by: bigint): bigint {
  return -floorDiv(-value, by);
}

export const abs = (value: bigint): bigint => (value < 0n ? -value : value);
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
