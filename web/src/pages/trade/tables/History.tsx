// SPDX-License-Identifier: AGPL-3.0-only
import * as reads from "../../../api/reads";
import type { Fill, FundingPayment, Order, Position, Transfer } from "../../../api/types";
import { grouped, moment, percent, short, signedUsd, usd } from "../../../money/format";
import { baseOf, usdc } from "../../../money/market";
import { statusOf } from "../../../orders/reading";
import { reason } from "../../../state/events";
import { useHistory } from "../../../state/history";
import { proof } from "../../../state/proof";
import { dialog } from "../../../state/view";
import { tone } from "../../../ui/bits";
import { type Column, DataTable } from "../../../ui/DataTable";
import { MarketIcon } from "../../../ui/MarketIcon";
import { orderColumns } from "./Orders";

const marketCell = (ticker: string) => (
  <span class="market-link">
    <MarketIcon ticker={ticker} size={18} /> {ticker}
  </span>
);
const signed = (amount: string) => <span class={tone(usdc(amount))}>{signedUsd(usdc(amount), 4)}</span>;
const sideCell = (side: string) => (
  <span class={side === "BUY" || side === "LONG" ? "up" : "down"}>
    {side.slice(0, 1) + side.slice(1).toLowerCase()}
  </span>
);

const FILLS: readonly Column<Fill>[] = [
  { key: "time", label: "Time", text: true, value: (fill) => fill.createdAt, cell: (fill) => moment(fill.createdAt) },
  { key: "market", label: "Market", text: true, value: (fill) => fill.market, cell: (fill) => marketCell(fill.market) },
  { key: "side", label: "Side", text: true, value: (fill) => fill.side, cell: (fill) => sideCell(fill.side) },
  {
    key: "type",
    label: "Type",
    text: true,
    value: (fill) => fill.type,
    cell: (fill) => `${fill.type.slice(0, 1)}${fill.type.slice(1).toLowerCase()} · ${fill.liquidity.toLowerCase()}`,
  },
  { key: "price", label: "Price", value: (fill) => fill.price, cell: (fill) => grouped(fill.price) },
  { key: "size", label: "Size", value: (fill) => fill.size, cell: (fill) => `${fill.size} ${baseOf(fill.market)}` },
  { key: "fee", label: "Fee", value: (fill) => fill.fee, cell: (fill) => usd(usdc(fill.fee), 4) },
  {
    key: "pnl",
    label: "Closed PnL",
    value: (fill) => fill.realizedPnl ?? "",
    cell: (fill) => (fill.realizedPnl && usdc(fill.realizedPnl) !== 0n ? signed(fill.realizedPnl) : "–"),
  },
  {
    key: "status",
    label: "Status",
    text: true,
    value: (fill) => fill.status,
    cell: (fill) => <span class="badge">{fill.status}</span>,
  },
  {
    key: "transaction",
    label: "Transaction",
    text: true,
    value: (fill) => fill.transactionHash,
    cell: (fill) => (
      <span class="mono faint" title={fill.transactionHash}>
        {short(fill.transactionHash)}
      </span>
    ),
  },
];

export function Fills() {
  const { rows, error } = useHistory(reads.fills);
  return (
    <DataTable
      name="fills"
      rows={rows}
      error={error}
      columns={FILLS}
      rowKey={(fill) => `${fill.id}${fill.side}${fill.orderId ?? ""}`}
      empty={{ icon: "swap", text: "No fills yet." }}
    />
  );
}

const FUNDING: readonly Column<FundingPayment>[] = [
  { key: "time", label: "Time", text: true, value: (one) => one.createdAt, cell: (one) => moment(one.createdAt) },
  { key: "market", label: "Market", text: true, value: (one) => one.ticker, cell: (one) => marketCell(one.ticker) },
  { key: "side", label: "Position", text: true, value: (one) => one.side, cell: (one) => sideCell(one.side) },
  { key: "size", label: "Size", value: (one) => one.size, cell: (one) => `${one.size} ${baseOf(one.ticker)}` },
  { key: "rate", label: "Rate", value: (one) => one.rate, cell: (one) => percent(one.rate, 5, true) },
  { key: "payment", label: "Payment", value: (one) => one.payment, cell: (one) => signed(one.payment) },
];

export function Funding() {
  const { rows, error } = useHistory(reads.funding);
  return (
    <DataTable
      name="funding"
      rows={rows}
      error={error}
      columns={FUNDING}
      rowKey={(one) => one.positionId + one.createdAt}
      empty={{ icon: "swap", text: "No funding payments yet. Open positions pay or receive once an hour." }}
    />
  );
}

const TRANSFERS: readonly Column<Transfer>[] = [
  { key: "time", label: "Time", text: true, value: (one) => one.createdAt, cell: (one) => moment(one.createdAt) },
  {
    key: "type",
    label: "Type",
    text: true,
    value: (one) => one.type,
    cell: (one) => one.type.slice(0, 1) + one.type.slice(1).toLowerCase().replace("_", " "),
  },
  { key: "amount", label: "Amount", value: (one) => one.size, cell: (one) => usd(usdc(one.size)) },
  {
    key: "status",
    label: "Status",
    text: true,
    value: (one) => one.status,
    cell: (one) => <span class="badge">{one.status}</span>,
  },
  {
    key: "transaction",
    label: "Transaction",
    text: true,
    value: (one) => one.transactionHash,
    cell: (one) => (
      <span class="mono faint" title={one.transactionHash}>
        {short(one.transactionHash)}
      </span>
    ),
  },
];

export function Transfers() {
  const { rows, error } = useHistory(reads.transfers);
  return (
    <DataTable
      name="transfers"
      rows={rows}
      error={error}
      columns={TRANSFERS}
      rowKey={(one) => one.id}
      empty={{
        icon: "download",
        text: "No transfers yet.",
        children: (
          <button type="button" class="button" onClick={() => (dialog.value = { kind: "deposit" })}>
            Deposit
          </button>
        ),
      }}
    />
  );
}

const CLOSED: readonly Column<Position>[] = [
  {
    key: "time",
    label: "Closed",
    text: true,
    value: (one) => one.closedAt ?? "",
    cell: (one) => (one.closedAt ? moment(one.closedAt) : "–"),
  },
  { key: "market", label: "Market", text: true, value: (one) => one.market, cell: (one) => marketCell(one.market) },
  { key: "side", label: "Side", text: true, value: (one) => one.side, cell: (one) => sideCell(one.side) },
  {
    key: "size",
    label: "Largest size",
    value: (one) => one.maxSize,
    cell: (one) => `${one.maxSize.replace("-", "")} ${baseOf(one.market)}`,
  },
  { key: "entry", label: "Entry", value: (one) => one.entryPrice, cell: (one) => grouped(cut(one.entryPrice)) },
  {
    key: "exit",
    label: "Exit",
    value: (one) => one.exitPrice ?? "",
    cell: (one) => (one.exitPrice ? grouped(cut(one.exitPrice)) : "–"),
  },
  { key: "fees", label: "Fees", value: (one) => one.fees, cell: (one) => usd(usdc(one.fees), 4) },
  { key: "funding", label: "Funding", value: (one) => one.netFunding, cell: (one) => signed(one.netFunding) },
  {
    key: "pnl",
    label: "Result",
    value: (one) => one.realizedPnl,
    cell: (one) => signed(one.realizedPnl),
    title: "Profit less fees, with funding",
  },
  {
    key: "status",
    label: "Status",
    text: true,
    value: (one) => one.status,
    cell: (one) => <span class={`badge ${one.status === "LIQUIDATED" ? "down" : ""}`}>{one.status.toLowerCase()}</span>,
  },
];

const cut = (price: string): string => price.replace(/(\.\d{2})\d+$/, "$1");

export function Closed() {
  const { rows, error } = useHistory(reads.closedPositions);
  return (
    <DataTable
      name="closed-positions"
      rows={rows}
      error={error}
      columns={CLOSED}
      rowKey={(one) => one.positionId}
      empty={{ icon: "chart", text: "No closed positions yet." }}
    />
  );
}

const AVERAGE: Column<Order> = {
  key: "average",
  label: "Average",
  title: "Average price of its fills on the chain",
  value: (order) => order.averageFillPrice ?? "",
  cell: (order) => (order.averageFillPrice ? grouped(cut(order.averageFillPrice)) : "–"),
};

const PAST: readonly Column<Order>[] = [
  {
    key: "time",
    label: "Time",
    text: true,
    value: (order) => order.updatedAt ?? "",
    cell: (order) => (order.updatedAt ? moment(order.updatedAt) : "–"),
  },
  ...orderColumns.flatMap((column) => (column.key === "price" ? [AVERAGE, column] : [column])),
  {
    key: "status",
    label: "Status",
    text: true,
    value: (order) => [statusOf(order), reason(order.removalReason)].filter(Boolean).join(": "),
    cell: (order) => (
      <>
        <span class="badge">{statusOf(order)}</span>{" "}
        {order.removalReason && <span class="muted">{reason(order.removalReason)}</span>}
      </>
    ),
  },
];

export function PastOrders() {
  const { rows, error } = useHistory((who) => reads.orders({ ...who, proof: proof.peek() }));
  return (
    <DataTable
      name="order-history"
      rows={rows}
      error={error}
      columns={PAST}
      rowKey={(order) => order.id}
      empty={{ icon: "columns", text: "No orders yet." }}
    />
  );
}
