// SPDX-License-Identifier: AGPL-3.0-only
/** What buttons, keys and the palette have in common. Each tells its outcome by a notice. */

import type { Held } from "../money/account";
import { abs } from "../money/decimal";
import { marketLimit } from "../money/market";
import { forgetOrders, indexOf, openOrders, positions, refresh } from "../state/account";
import { expectEnd } from "../state/events";
import { best } from "../state/feed";
import { notify } from "../state/notices";
import { settings } from "../state/settings";
import { ticker } from "../state/venue";
import { dialog } from "../state/view";

/** Signing code is fetched when it is first needed. */
const submit = () => import("../orders/submit");

export async function cancelOne(id: string): Promise<void> {
  try {
    expectEnd([id]);
    const { cancelled } = await (await submit()).cancel(id);
    forgetOrders(cancelled.length ? cancelled : [id]);
    notify("order", "plain", "Order cancelled");
  } catch (error) {
    notify("order", "bad", "Not cancelled", (error as Error).message);
  }
}

export function cancelEverything(market = ""): void {
  const known = openOrders.value.filter((order) => !market || order.ticker === market).map((order) => order.id);
  const run = async () => {
    try {
      expectEnd(known);
      const ids = await (await submit()).cancelAll(market, known);
      forgetOrders([...ids]);
      // The steps of a trailing stop end with it and are no orders to their owner.
      const shown = known.filter((id) => ids.includes(id)).length || ids.length;
      notify("order", "plain", `${shown} ${shown === 1 ? "order" : "orders"} cancelled`);
    } catch (error) {
      notify("order", "bad", "Not cancelled", (error as Error).message);
    }
  };
  if (!settings.value.confirmOrders) return void run();
  dialog.value = {
    kind: "confirm",
    title: "Cancel all orders?",
    lines: [
      ["Orders", String(known.length)],
      ["Market", market || "All"],
    ],
    action: "Cancel all",
    run: () => void run(),
  };
}

/** Closes part of a position at once, at the best price within the slippage cap. */
export async function closeAtMarket(one: Held, lots = abs(one.size)): Promise<boolean> {
  const buy = one.size < 0n;
  const index = indexOf(one.market);
  const touch = one.market.ticker === ticker.value ? (buy ? best.value.ask : best.value.bid) : undefined;
  const price = marketLimit(
    one.market,
    buy,
    touch === undefined ? index : BigInt(touch),
    BigInt(settings.value.slippagePpm),
    index,
  );
  try {
    const outcomes = await (await submit()).place([
      {
        market: one.market,
        buy,
        size: lots,
        price,
        timeInForce: "IOC",
        atMarket: true,
        reduceOnly: true,
        selfTrade: "CANCEL_MAKER",
      },
    ]);
    const filled = BigInt(outcomes[0]!.placed!.filled);
    if (filled === 0n) notify("order", "bad", "Nothing was closed", "No order in the book within the slippage cap.");
    refresh();
    return filled > 0n;
  } catch (error) {
    notify("order", "bad", "Not closed", (error as Error).message);
    return false;
  }
}

export function closeEverything(): void {
  const all = positions.value;
  dialog.value = {
    kind: "confirm",
    title: "Close all positions?",
    lines: all.map((one) => [one.market.ticker, "at market"]),
    action: "Close all",
    run: async () => {
      for (const one of all) await closeAtMarket(one);
    },
  };
}
