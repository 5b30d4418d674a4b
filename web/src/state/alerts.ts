// SPDX-License-Identifier: AGPL-3.0-only
/** Price alerts: told once, when the index price comes to a price from where it was. They need this page open. */

import { effect } from "@preact/signals";
import { priceUnits } from "../money/market";
import { notify } from "./notices";
import { kept } from "./settings";
import { listed, marketData } from "./venue";

export interface Alert {
  id: string;
  ticker: string;
  /** A plain decimal. */
  price: string;
  above: boolean;
}

export const alerts = kept<Alert[]>("ouro.alerts", []);
export const MOST_ALERTS = 20;

/** Whether the index price is where the alert waits for it. */
export const reached = (alert: Pick<Alert, "above">, price: bigint, index: bigint): boolean =>
  index > 0n && (alert.above ? index >= price : index <= price);

export function addAlert(ticker: string, price: string, index: bigint): void {
  const market = listed.value.get(ticker);
  if (!market || alerts.value.length >= MOST_ALERTS) return;
  const above = priceUnits(market, price) > index;
  alerts.value = [...alerts.value, { id: crypto.randomUUID(), ticker, price, above }];
}

export function removeAlert(id: string): void {
  alerts.value = alerts.value.filter((alert) => alert.id !== id);
}

effect(() => {
  const rows = marketData.value;
  const waiting = alerts.value;
  const done = waiting.filter((alert) => {
    const market = listed.value.get(alert.ticker);
    const index = market && priceUnits(market, rows[alert.ticker]?.oraclePrice);
    return market && index !== undefined && reached(alert, priceUnits(market, alert.price), index);
  });
  if (done.length === 0) return;
  for (const alert of done) {
    notify(
      "price",
      "plain",
      `${alert.ticker} is at ${alert.price}`,
      `The index price came from ${alert.above ? "below" : "above"}.`,
    );
  }
  alerts.value = waiting.filter((alert) => !done.includes(alert));
});
