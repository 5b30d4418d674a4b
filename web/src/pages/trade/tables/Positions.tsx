// SPDX-License-Identifier: AGPL-3.0-only
import type { Held } from "../../../money/account";
import { abs, fixed } from "../../../money/decimal";
import { finePrice, grouped, ratio, signedUsd, size, usd } from "../../../money/format";
import { baseOf } from "../../../money/market";
import { exitsInForce, liquidationIn, loading, positions, standing } from "../../../state/account";
import { proof } from "../../../state/proof";
import { dialog } from "../../../state/view";
import { closeEverything } from "../../../ui/actions";
import { Link, tone } from "../../../ui/bits";
import { type Column, DataTable } from "../../../ui/DataTable";
import { MarketIcon } from "../../../ui/MarketIcon";

/** Take-profit and stop that wait for this position. */
function exitsOf(one: Held): string {
  const waiting = exitsInForce(one.market.ticker);
  const price = (kind: RegExp) => waiting.find((order) => kind.test(order.type))?.triggerPrice;
  const show = (text: string | null | undefined) => (text ? grouped(text) : "–");
  return `${show(price(/^TAKE_PROFIT/))} / ${show(price(/^(STOP|TRAILING)/))}`;
}

const money = (micro: bigint) => fixed(micro, 6, 6);

const COLUMNS: readonly Column<Held>[] = [
  {
    key: "market",
    label: "Market",
    text: true,
    value: (one) => one.market.ticker,
    cell: (one) => (
      <Link to={`/trade/${one.market.ticker}`} class="market-link">
        <MarketIcon ticker={one.market.ticker} size={18} /> {one.market.ticker}{" "}
        <span class={`badge ${one.size > 0n ? "up" : "down"}`}>
          {one.size > 0n ? "Long" : "Short"} {ratioText(one)}
        </span>
      </Link>
    ),
  },
  {
    key: "size",
    label: "Size",
    value: (one) => fixed(one.size, one.market.sizeDecimals, one.market.sizeDecimals),
    cell: (one) => `${size(one.market, abs(one.size))} ${baseOf(one.market.ticker)}`,
  },
  { key: "value", label: "Value", value: (one) => money(one.value), cell: (one) => usd(one.value) },
  {
    key: "entry",
    label: "Entry",
    value: (one) => fixed(one.entry, one.market.priceDecimals, one.market.priceDecimals),
    cell: (one) => finePrice(one.market, one.entry),
  },
  {
    key: "index",
    label: "Index",
    value: (one) => fixed(one.index, one.market.priceDecimals, one.market.priceDecimals),
    cell: (one) => finePrice(one.market, one.index),
  },
  {
    key: "liquidation",
    label: "Liquidation",
    title: "Estimated, while all other markets stand still",
    value: (one) => liquidation(one),
    cell: (one) => <span class={liquidationIn(one) === null ? "faint" : "warn"}>{liquidation(one)}</span>,
  },
  {
    key: "pnl",
    label: "Unrealised PnL",
    value: (one) => money(one.unrealized),
    cell: (one) => (
      <span class={tone(one.unrealized)}>
        {signedUsd(one.unrealized)} <small>{ratio(one.unrealized, one.initial, 1, true)}</small>
      </span>
    ),
    title: "At the index price; the percentage is against initial margin",
  },
  {
    key: "realized",
    label: "Realised",
    value: (one) => money(one.realized),
    cell: (one) => <span class={tone(one.realized)}>{signedUsd(one.realized)}</span>,
    title: "Profit of what was closed, funding and fees",
  },
  { key: "margin", label: "Margin", value: (one) => money(one.initial), cell: (one) => usd(one.initial) },
  {
    key: "exits",
    label: "TP / SL",
    value: exitsOf,
    cell: (one) => (
      <button
        type="button"
        class="link-button num"
        onClick={() => (dialog.value = { kind: "exits", market: one.market.ticker })}
      >
        {proof.value ? exitsOf(one) : "Set"}
        <span class="visually-hidden"> take profit and stop of {one.market.ticker}</span>
      </button>
    ),
  },
  {
    key: "close",
    label: "Close",
    cell: (one) => (
      <button
        type="button"
        class="button small"
        onClick={() => (dialog.value = { kind: "closePosition", market: one.market.ticker })}
      >
        Close<span class="visually-hidden"> {one.market.ticker}</span>
      </button>
    ),
  },
];

const ratioText = (one: Held): string => {
  const equity = standing.value.equity;
  if (equity <= 0n) return "";
  const digits = one.value < equity ? 2 : 1;
  return `${fixed((one.value * 10n ** BigInt(digits)) / equity, digits, digits)}×`;
};

function liquidation(one: Held): string {
  const at = liquidationIn(one);
  return at === null ? "–" : finePrice(one.market, at);
}

export function Positions() {
  return (
    <DataTable
      name="positions"
      rows={loading.value ? null : positions.value}
      columns={COLUMNS}
      rowKey={(one) => one.market.ticker}
      empty={{ icon: "chart", text: "No open positions. A first order opens one." }}
      actions={
        positions.value.length > 1 && (
          <button type="button" class="button small danger" onClick={closeEverything}>
            Close all
          </button>
        )
      }
    />
  );
}
