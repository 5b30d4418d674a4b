// SPDX-License-Identifier: AGPL-3.0-only
/** Signs and sends what the ticket means, and says what came of it. */

import { effect, signal } from "@preact/signals";
import { ApiError } from "../../../api/client";
import { price as priceOf, usd } from "../../../money/format";
import { baseOf, sizeText } from "../../../money/market";
import type { Outcome } from "../../../orders/submit";
import { refresh } from "../../../state/account";
import { reason } from "../../../state/events";
import { notify } from "../../../state/notices";
import { oneClick } from "../../../state/session-key";
import { settings } from "../../../state/settings";
import { dialog, ticketOpen } from "../../../state/view";
import { wallet } from "../../../state/wallet";
import type { Plan } from "./plan";
import * as ticket from "./state";

export const busy = signal<string | null>(null);
export const refusal = signal<string | null>(null);

/** What was refused is no longer what stands in the ticket. */
effect(() => {
  for (const field of [ticket.kind, ticket.buy, ticket.price, ticket.trigger]) field.value;
  if (ticket.size.value) refusal.value = null;
});

export function ask(plan: Plan): void {
  refusal.value = null;
  if (!settings.value.confirmOrders) return void send(plan);
  const first = plan.asks[0]!;
  dialog.value = {
    kind: "confirm",
    title: `${plan.buy ? "Buy" : "Sell"} ${sizeText(plan.market, plan.lots)} ${baseOf(plan.market.ticker)}?`,
    lines: [
      ["Orders to sign", String(plan.asks.length)],
      ...(first.triggerPrice
        ? ([
            [
              "Trigger",
              `Index ${first.trigger === "AT_OR_ABOVE" ? "≥" : "≤"} ${priceOf(plan.market, first.triggerPrice)}`,
            ],
          ] as [string, string][])
        : []),
      [
        first.timeInForce === "GTT" && !first.extras?.immediate ? "Price" : "Worst price",
        priceOf(plan.market, first.price),
      ],
      ...(plan.preview
        ? ([
            ["Value", usd(plan.preview.notional)],
            ["Fee, estimated", usd(plan.preview.fee, 4)],
          ] as [string, string][])
        : []),
    ],
    action: "Sign and send",
    run: () => void send(plan),
  };
}

async function send(plan: Plan): Promise<void> {
  if (busy.value) return;
  const silent = oneClick.value || wallet.value?.development;
  busy.value = silent ? "Sending" : "Sign in your wallet";
  try {
    const { place } = await import("../../../orders/submit");
    const outcomes = await place(plan.asks, (done, of) => {
      if (!silent)
        busy.value =
          done === of ? "Sending" : of > 1 ? `Sign ${done + 1} of ${of} in your wallet` : "Sign in your wallet";
    });
    tell(plan, outcomes);
    ticket.size.value = "";
    ticketOpen.value = false;
    refresh();
  } catch (error) {
    refusal.value = (error as Error).message;
    const unknown = error instanceof ApiError && error.code === "unreachable";
    notify("order", "bad", unknown ? "No answer" : "Order not placed", (error as Error).message);
  } finally {
    busy.value = null;
  }
}

function tell(plan: Plan, outcomes: readonly Outcome[]): void {
  const refused = outcomes.filter((one) => one.error);
  const what = `${plan.buy ? "Buy" : "Sell"} ${sizeText(plan.market, plan.lots)} ${baseOf(plan.market.ticker)}`;
  if (refused.length) {
    notify("order", "bad", `${refused.length} of ${outcomes.length} orders refused`, refused[0]!.error!.message);
    return;
  }
  const { placed } = outcomes[0]!;
  const filled = BigInt(placed!.filled);
  if (ticket.kind.value === "TRAILING") notify("order", "good", "Trailing stop is waiting", what);
  else if (outcomes.length > 1) notify("order", "good", `${outcomes.length} orders placed`, what);
  else if (placed!.status === "UNTRIGGERED") notify("order", "good", "Waiting for its trigger", what);
  else if (filled > 0n)
    notify("order", "good", filled === plan.lots ? "Filled" : `Filled ${sizeText(plan.market, filled)}`, what);
  else if (placed!.status === "OPEN" || placed!.status === "BEST_EFFORT_OPENED")
    notify("order", "good", "Order placed", what);
  else notify("order", "bad", "Nothing filled", reason(placed!.reason) || "No order in the book at that price.");
}
