// SPDX-License-Identifier: AGPL-3.0-only
import { baseOf } from "../money/market";

/** Where people expect a colour. */
const KNOWN: Record<string, number> = { BTC: 30, ETH: 230, SOL: 275 };

function hueOf(base: string): number {
  let hue = 0;
  for (const letter of base) hue = (hue * 31 + letter.charCodeAt(0) * 7) % 360;
  return hue;
}

/** A round letter in a colour of its own: no coin's logo is anybody's to ship. */
export function MarketIcon({ ticker, size = 22 }: { ticker: string; size?: number }) {
  const base = baseOf(ticker);
  const hue = KNOWN[base] ?? hueOf(base);
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" class="market-icon">
      <circle cx="12" cy="12" r="12" fill={`hsl(${hue} 62% 40%)`} />
      <text x="12" y="16.4" text-anchor="middle" font-size="12.5" font-weight="700" fill="#fff">
        {base.slice(0, 1)}
      </text>
    </svg>
  );
}
