// SPDX-License-Identifier: AGPL-3.0-only
/** The order book as the stream tells it: whole lots and price units, which fit a safe integer (prices < 2^40). */

export interface Level {
  price: number;
  size: number;
}

export interface BookContents {
  bids?: ({ price: string; size: string } | [string, string])[];
  asks?: ({ price: string; size: string } | [string, string])[];
  seq?: string;
  prevSeq?: string;
}

export type ToUnits = (text: string) => number;

export class Book {
  private bids = new Map<number, number>();
  private asks = new Map<number, number>();
  private seq: string | undefined;

  constructor(
    private readonly price: ToUnits,
    private readonly size: ToUnits,
  ) {}

  reset(contents: BookContents): void {
    this.bids.clear();
    this.asks.clear();
    this.take(contents);
    this.seq = contents.seq;
  }

  /** False when the update does not follow what is here: the book must be fetched anew. */
  apply(contents: BookContents): boolean {
    if (contents.prevSeq !== undefined && this.seq !== undefined && contents.prevSeq !== this.seq) return false;
    this.take(contents);
    if (contents.seq !== undefined) this.seq = contents.seq;
    return true;
  }

  /** Best first. */
  sides(): { bids: Level[]; asks: Level[] } {
    return { bids: sorted(this.bids, -1), asks: sorted(this.asks, 1) };
  }

  private take(contents: BookContents): void {
    for (const [side, levels] of [
      [this.bids, contents.bids],
      [this.asks, contents.asks],
    ] as const) {
      for (const level of levels ?? []) {
        const [price, size] = Array.isArray(level) ? level : [level.price, level.size];
        const lots = this.size(size);
        if (lots === 0) side.delete(this.price(price));
        else side.set(this.price(price), lots);
      }
    }
  }
}

function sorted(side: Map<number, number>, direction: 1 | -1): Level[] {
  const levels = Array.from(side, ([price, size]) => ({ price, size }));
  return levels.sort((a, b) => direction * (a.price - b.price));
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
