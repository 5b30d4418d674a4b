// SPDX-License-Identifier: AGPL-3.0-only
/** A market's units: sizes are whole lots, prices whole micro-USDC per lot, so lots * price is micro-USDC exactly. */

import { ceilDiv, fixed, floorDiv, max, min, parse, plain, units } from "./decimal";
import { PPM } from "./formulas";

export const USDC_DECIMALS = 6;

export interface Market {
  id: number;
  ticker: string;
  sizeDecimals: number;
  priceDecimals: number;
  tick: bigint;
  imfPpm: bigint;
  mmfPpm: bigint;
  bandPpm: bigint;
  /** Seconds after which the index price is too old to trade on. */
  maxPriceAge: number;
  /** Places after the point that a price on the tick needs. */
  tickDigits: number;
}

export interface MarketRecord {
  id: number;
  ticker: string;
  sizeDecimals: number;
  priceDecimals: number;
  tick: number;
  imfPpm: number;
  mmfPpm: number;
  bandPpm: number;
  maxPriceAge?: number;
}

export function market(record: MarketRecord): Market {
  const tick = BigInt(record.tick);
  const step = plain(tick, record.priceDecimals);
  return {
    id: record.id,
    ticker: record.ticker,
    sizeDecimals: record.sizeDecimals,
    priceDecimals: record.priceDecimals,
    tick,
    imfPpm: BigInt(record.imfPpm),
    mmfPpm: BigInt(record.mmfPpm),
    bandPpm: BigInt(record.bandPpm),
    maxPriceAge: record.maxPriceAge ?? Infinity,
    tickDigits: step.includes(".") ? step.length - step.indexOf(".") - 1 : 0,
  };
}

export const lots = (m: Market, size: string | null | undefined): bigint => units(size, m.sizeDecimals);
export const priceUnits = (m: Market, price: string | null | undefined): bigint => units(price, m.priceDecimals);
export const usdc = (amount: string | null | undefined): bigint => units(amount, USDC_DECIMALS);

export const typedLots = (m: Market, text: string): bigint | null => parse(text, m.sizeDecimals);
export const typedPrice = (m: Market, text: string): bigint | null => parse(text, m.priceDecimals);

export const sizeText = (m: Market, value: bigint): string => plain(value, m.sizeDecimals);
export const priceText = (m: Market, value: bigint): string => fixed(value, m.priceDecimals, m.tickDigits);

export const floorToTick = (m: Market, value: bigint): bigint => floorDiv(value, m.tick) * m.tick;
export const ceilToTick = (m: Market, value: bigint): bigint => ceilDiv(value, m.tick) * m.tick;
export const baseOf = (ticker: string): string => ticker.split("-")[0] ?? ticker;

/** `slippagePpm` beyond `reference`, on the tick and never worse than asked. */
export function worstLimit(m: Market, buy: boolean, reference: bigint, slippagePpm: bigint): bigint {
  return buy
    ? floorToTick(m, (reference * (PPM + slippagePpm)) / PPM)
    : ceilToTick(m, ceilDiv(reference * (PPM - slippagePpm), PPM));
}

/** The same, within the price band around the index: beyond it nothing fills. */
export function marketLimit(m: Market, buy: boolean, reference: bigint, slippagePpm: bigint, index: bigint): bigint {
  return buy
    ? floorToTick(m, min((reference * (PPM + slippagePpm)) / PPM, (index * (PPM + m.bandPpm)) / PPM))
    : ceilToTick(m, max(ceilDiv(reference * (PPM - slippagePpm), PPM), ceilDiv(index * (PPM - m.bandPpm), PPM)));
}

/** The farthest price on the tick that the band around the index lets fill: orders beyond it are refused. */
export const bandLimit = (m: Market, buy: boolean, index: bigint): bigint =>
  buy ? floorToTick(m, (index * (PPM + m.bandPpm)) / PPM) : ceilToTick(m, ceilDiv(index * (PPM - m.bandPpm), PPM));
