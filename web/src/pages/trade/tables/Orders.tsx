// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import type { Order } from "../../../api/types";
import { units } from "../../../money/decimal";
import { clock, grouped, moment } from "../../../money/format";
import { baseOf } from "../../../money/market";
import { loading, openOrders } from "../../../state/account";
import { amendable, kindOf, notAmendable } from "../../../state/events";
import { notify } from "../../../state/notices";
import { proof, prove } from "../../../state/proof";
import { dialog } from "../../../state/view";
import { cancelEverything, cancelOne } from "../../../ui/actions";
import { type Column, DataTable } from "../../../ui/DataTable";
import { MarketIcon } from "../../../ui/MarketIcon";

export const orderColumns: readonly Column<Order>[] = [
  {
    key: "market",
    label: "Market",
    text: true,
    value: (order) => order.ticker,
    cell: (order) => (
      <span class="market-link">
        <MarketIcon ticker={order.ticker} size={18} /> {order.ticker}
      </span>
    ),
  },
  {
    key: "side",
    label: "Side",
    text: true,
    value: (order) => order.side,
    cell: (order) => <span class={order.side === "BUY" ? "up" : "down"}>{order.side === "BUY" ? "Buy" : "Sell"}</span>,
  },
  { key: "type", label: "Type", text: true, value: kindOf, cell: kindOf },
  {
    key: "size",
    label: "Size",
    value: (order) => order.size,
    cell: (order) => `${order.size} ${baseOf(order.ticker)}`,
  },
  {
    key: "filled",
    label: "Filled",
    value: (order) => order.totalFilled,
    cell: (order) => {
      const [done, all] = [units(order.totalFilled, 9), units(order.size, 9)];
      return `${order.totalFilled} (${all ? (done * 100n) / all : 0n}%)`;
    },
  },
  {
    key: "price",
    label: "Price",
    value: (order) => order.price,
    cell: (order) =>
      order.immediate || kindOf(order) === "Market" ? (
        <span class="muted" title="A market order: the worst price that was signed">
          {order.side === "BUY" ? "≤" : "≥"} {grouped(order.price)}
        </span>
      ) : (
        grouped(order.price)
      ),
  },
  {
    key: "trigger",
    label: "Trigger",
    value: (order) => order.triggerPrice ?? "",
    cell: (order) =>
      order.triggerPrice
        ? `${order.trigger === "AT_OR_ABOVE" ? "≥" : "≤"} ${grouped(order.triggerPrice)}`
        : order.notBefore
          ? `at ${clock(order.notBefore)}`
          : "–",
  },
  {
    key: "options",
    label: "Options",
    text: true,
    value: options,
    cell: (order) => <span class="muted">{options(order) || "–"}</span>,
  },
];

function options(order: Order): string {
  return [
    order.reduceOnly && "Reduce-only",
    order.postOnly && "Post-only",
    order.oco && "OCO",
    order.parent && "Bracket",
  ]
    .filter(Boolean)
    .join(", ");
}

const COLUMNS: readonly Column<Order>[] = [
  ...orderColumns,
  {
    key: "status",
    label: "Status",
    text: true,
    value: (order) => order.status,
    cell: (order) => <span class="badge">{order.status === "UNTRIGGERED" ? "Waiting" : "Open"}</span>,
  },
  {
    key: "time",
    label: "Placed",
    value: (order) => order.createdAt ?? "",
    cell: (order) => (order.createdAt ? moment(order.createdAt) : "–"),
  },
  { key: "amend", label: "Amend", cell: (order) => <Amend order={order} /> },
  { key: "cancel", label: "Cancel", cell: (order) => <Cancel order={order} /> },
];

function Amend({ order }: { order: Order }) {
  return (
    <button
      type="button"
      class="button small"
      disabled={!amendable(order)}
      title={notAmendable(order)}
      aria-label={`Amend ${order.side.toLowerCase()} ${order.size} ${order.ticker}`}
      onClick={() => {
        dialog.value = { kind: "amend", order: order.id };
      }}
    >
      Amend
    </button>
  );
}

function Cancel({ order }: { order: Order }) {
  const [busy, setBusy] = useState(false);
  return (
    <button
      type="button"
      class="button small"
      disabled={busy}
      aria-label={`Cancel ${order.side.toLowerCase()} ${order.size} ${order.ticker}`}
      onClick={() => {
        setBusy(true);
        void cancelOne(order.id).finally(() => setBusy(false));
      }}
    >
      Cancel
    </button>
  );
}

export function Orders() {
  return (
    <DataTable
      name="orders"
      rows={loading.value ? null : openOrders.value}
      columns={COLUMNS}
      rowKey={(order) => order.id}
      empty={{ icon: "columns", text: "No open orders." }}
      actions={
        <>
          {openOrders.value.length > 0 && (
            <button type="button" class="button small danger" onClick={() => cancelEverything()}>
              Cancel all
            </button>
          )}
          {!proof.value && (
            <button
              type="button"
              class="button small ghost"
              title="Orders that wait for a trigger are shown to their owner only; a signature proves that it is you"
              onClick={() => void prove().catch((error: Error) => notify("order", "bad", "Not signed", error.message))}
            >
              Show waiting orders
            </button>
          )}
        </>
      }
    />
  );
}
