// SPDX-License-Identifier: AGPL-3.0-only
/** The order book as the stream tells it: whole lots and price units, which fit a safe integer (prices < 2^40). */

export interface Level {
  price: number;
  size: number;
  /** Price and size as the exchange wrote them, for the checksum. */
  text?: string;
}

export interface BookContents {
  bids?: ({ price: string; size: string } | [string, string])[];
  asks?: ({ price: string; size: string } | [string, string])[];
  seq?: string;
  prevSeq?: string;
  /** CRC-32 of the best levels after this change. */
  checksum?: number | string;
}

const SUMMED = 10;

export type ToUnits = (text: string) => number;

export class Book {
  private bids = new Map<number, Level>();
  private asks = new Map<number, Level>();
  private seq: string | undefined;
  private checksum: string | undefined;

  constructor(
    private readonly price: ToUnits,
    private readonly size: ToUnits,
  ) {}

  reset(contents: BookContents): void {
    this.bids.clear();
    this.asks.clear();
    this.checksum = undefined;
    this.take(contents);
    this.seq = contents.seq;
  }

  /** False when the update does not follow what is here: the book must be fetched anew. */
  apply(contents: BookContents): boolean {
    // What the snapshot has already.
    if (contents.seq !== undefined && this.seq !== undefined && BigInt(contents.seq) <= BigInt(this.seq)) return true;
    if (contents.prevSeq !== undefined && this.seq !== undefined && contents.prevSeq !== this.seq) return false;
    this.take(contents);
    if (contents.seq !== undefined) this.seq = contents.seq;
    this.checksum = contents.checksum === undefined ? undefined : String(contents.checksum);
    return true;
  }

  /** Best first. */
  sides(): { bids: Level[]; asks: Level[] } {
    return { bids: sorted(this.bids, -1), asks: sorted(this.asks, 1) };
  }

  /** Whether the best levels are those that the exchange has; `sides` are this book's own. */
  agrees({ bids, asks }: { bids: Level[]; asks: Level[] }): boolean {
    if (this.checksum === undefined) return true;
    const best = [...bids.slice(0, SUMMED), ...asks.slice(0, SUMMED)];
    return crc32(best.map((level) => level.text).join("|")) === Number(this.checksum);
  }

  private take(contents: BookContents): void {
    for (const [side, levels] of [
      [this.bids, contents.bids],
      [this.asks, contents.asks],
    ] as const) {
      for (const level of levels ?? []) {
        const [price, size] = Array.isArray(level) ? level : [level.price, level.size];
        const lots = this.size(size);
        const at = this.price(price);
        if (lots === 0) side.delete(at);
        else side.set(at, { price: at, size: lots, text: `${price}:${size}` });
      }
    }
  }
}

function sorted(side: Map<number, Level>, direction: 1 | -1): Level[] {
  return [...side.values()].sort((a, b) => direction * (a.price - b.price));
}

/** Of ASCII text, as zlib has it. */
export function crc32(text: string): number {
  let sum = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) {
    sum ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** Levels put together in steps of `step` price units, bids rounded down and asks up, best first. */
export function groupLevels(levels: Level[], step: number, up: boolean): Level[] {
  const out: Level[] = [];
  for (const level of levels) {
    const price = up ? Math.ceil(level.price / step) * step : Math.floor(level.price / step) * step;
    const last = out[out.length - 1];
    if (last && last.price === price) last.size += level.size;
    else out.push({ price, size: level.size });
  }
  return out;
}
