// SPDX-License-Identifier: AGPL-3.0-only
/** Inputs for the three things that traders type: a price, a size, an amount of USDC. */

import { plain } from "../money/decimal";
import { baseOf, floorToTick, type Market, USDC_DECIMALS } from "../money/market";
import { Amount, type AmountProps } from "./Field";

type Rest = Omit<AmountProps, "decimals" | "digits" | "step">;

/** A price of a market: steps by its tick, begins at the tick below `from`. */
export function PriceAmount({ market, from, ...rest }: Rest & { market: Market }) {
  return (
    <Amount
      suffix="USD"
      decimals={market.priceDecimals}
      digits={market.tickDigits}
      step={market.tick}
      from={from === undefined ? undefined : floorToTick(market, from)}
      {...rest}
    />
  );
}

/** A size in a market's base currency: steps by the smallest one. */
export function SizeAmount({ market, ...rest }: Omit<Rest, "label"> & { market: Market }) {
  return <Amount label="Size" suffix={baseOf(market.ticker)} decimals={market.sizeDecimals} step={1n} {...rest} />;
}

/** USDC with a button for the `most` there is, of no use as long as that is unknown. */
export function MoneyAmount({ most, ...rest }: Omit<Rest, "label" | "suffix"> & { most: bigint | undefined }) {
  return (
    <Amount
      label="Amount"
      decimals={USDC_DECIMALS}
      step={100n * 10n ** BigInt(USDC_DECIMALS)}
      placeholder="0.00"
      autofocus
      suffix={
        <button
          type="button"
          class="button small ghost"
          disabled={most === undefined}
          onClick={() => most !== undefined && rest.onValue(plain(most, USDC_DECIMALS))}
        >
          Max
        </button>
      }
      {...rest}
    />
  );
}
