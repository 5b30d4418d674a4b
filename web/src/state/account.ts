// SPDX-License-Identifier: AGPL-3.0-only
/** The connected account: its worth, positions, orders, and what happens to it. */

import { batch, computed, effect, signal } from "@preact/signals";
import { ApiError } from "../api/client";
import * as reads from "../api/reads";
import type { Fill, Match, Order, Position, Subaccount, Transfer } from "../api/types";
import { type Held, held, liquidationOf, type Worth, worth } from "../money/account";
import { units } from "../money/decimal";
import { type Market, priceUnits, usdc } from "../money/market";
import { guarding, steps } from "../orders/reading";
import { tellFills, tellMatches, tellOrders, tellTransfer } from "./events";
import { dropProof, proof } from "./proof";
import { number, subaccounts } from "./subaccounts";
import { listed, marketData, stream } from "./venue";
import { address } from "./wallet";

const REFRESH_MS = 20_000;
const SETTLE_MS = 350;

/** Null while it is loaded; `unknown` before the first deposit. */
export const subaccount = signal<Subaccount | null>(null);
export const unknown = signal(false);
export const loading = computed(() => address.value !== null && subaccount.value === null && !unknown.value);
const orderMap = signal<ReadonlyMap<string, Order>>(new Map());
/** Counts what happened to the account, so that lists know when to be read again. */
export const happened = signal(0);

const LIVE = new Set(["OPEN", "BEST_EFFORT_OPENED", "UNTRIGGERED"]);

export const openOrders = computed(() => {
  const live = [...orderMap.value.values()].filter((order) => LIVE.has(order.status));
  const behind = steps(live);
  return live
    .filter((order) => !behind.has(order.id))
    .sort((a, b) => (b.createdAt ?? "").localeCompare(a.createdAt ?? ""));
});

/** Exits that wait for the open position of a market. Those of an entry that still rests guard nothing yet. */
export const exitsInForce = (ticker: string): Order[] =>
  guarding(openOrders.value.filter((order) => order.ticker === ticker));

export const imfPpmOf = (market: Market): bigint => {
  const told = marketData.value[market.ticker]?.effectiveInitialMarginFraction;
  return told ? units(told, 6) : market.imfPpm;
};

export const indexOf = (market: Market): bigint => priceUnits(market, marketData.value[market.ticker]?.oraclePrice);

export const positions = computed<Held[]>(() => {
  const found: Held[] = [];
  for (const position of Object.values(subaccount.value?.openPerpetualPositions ?? {})) {
    const market = listed.value.get(position.market);
    if (market) found.push(held(market, position, indexOf(market), imfPpmOf(market)));
  }
  return found;
});

/** Equity without what open positions would make: it changes with fills, funding and transfers only. */
const settled = computed(() => {
  const told = subaccount.value;
  if (!told) return 0n;
  const open = Object.values(told.openPerpetualPositions);
  return open.reduce((rest, position) => rest - usdc(position.unrealizedPnl), usdc(told.equity));
});

export const standing = computed<Worth>(() => worth(settled.value, positions.value));

export const positionIn = (ticker: string): Held | null =>
  positions.value.find((one) => one.market.ticker === ticker) ?? null;

export const liquidationIn = (one: Held): bigint | null => liquidationOf(one, standing.value);

let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Reads the account again, soon; many causes at once make one read. */
export function refresh(seq?: number): void {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => void read(seq), SETTLE_MS);
}

async function read(seq?: number): Promise<void> {
  const whose = address.value;
  if (!whose) return;
  const told = await reads.subaccounts({ address: whose, seq }).catch((error) => {
    return error instanceof ApiError && error.status === 404 ? [] : null;
  });
  if (!told || address.value !== whose) return;
  batch(() => {
    subaccounts.value = [...told].sort((a, b) => a.subaccountNumber - b.subaccountNumber);
    const own = told.find((one) => one.subaccountNumber === number.value);
    if (own) subaccount.value = own;
    unknown.value = !own;
  });
}

/** Takes an order as the exchange just answered it, before the stream tells it. */
export function takeOrders(orders: readonly Order[]): void {
  const next = new Map(orderMap.value);
  for (const order of orders) {
    if (LIVE.has(order.status)) next.set(order.id, order);
    else next.delete(order.id);
  }
  orderMap.value = next;
}

export function forgetOrders(ids: readonly string[]): void {
  const next = new Map(orderMap.value);
  for (const id of ids) next.delete(id);
  orderMap.value = next;
}

interface Update {
  orders?: Order[];
  fills?: Fill[];
  matches?: Match[];
  transfers?: Transfer;
  perpetualPositions?: Position[];
  reverted?: object;
}

function update(contents: Update): void {
  batch(() => {
    const before = orderMap.value;
    if (contents.orders) {
      tellOrders(contents.orders, before);
      takeOrders(contents.orders);
    }
    if (contents.matches) tellMatches(contents.matches, address.value ?? "");
    if (contents.fills) tellFills(contents.fills);
    if (contents.transfers) tellTransfer(contents.transfers);
    if (contents.fills || contents.transfers || contents.perpetualPositions || contents.reverted) refresh();
    if (contents.fills || contents.transfers || contents.orders || contents.reverted) happened.value += 1;
  });
}

let leave = () => {};

effect(() => {
  const whose = address.value;
  const which = number.value;
  const auth = proof.value;
  leave();
  leave = () => {};
  batch(() => {
    if (subaccounts.peek()?.[0]?.address !== whose) subaccounts.value = null;
    subaccount.value = null;
    unknown.value = false;
    orderMap.value = new Map();
  });
  if (!whose) return;
  let followed = false;
  leave = stream.follow({
    channel: "v4_subaccounts",
    id: `${whose}/${which}`,
    auth: () => auth,
    snapshot(contents: { subaccount?: Subaccount; orders?: Order[]; matches?: Match[] }) {
      // What was matched over an interruption that the server could not bridge, as far as it is not settled yet.
      if (followed) tellMatches(contents.matches ?? [], whose, true);
      followed = true;
      batch(() => {
        if (contents.subaccount) subaccount.value = contents.subaccount;
        unknown.value = !contents.subaccount;
        orderMap.value = new Map((contents.orders ?? []).map((order) => [order.id, order]));
        happened.value += 1;
      });
      refresh();
      if (auth) void waiting(whose, which, auth);
    },
    update,
    resumed: () => refresh(),
    error(reason) {
      if (auth && !/subscri/.test(reason)) dropProof();
    },
  });
});

/** Orders that wait for their trigger; nobody else is told of them. */
async function waiting(whose: string, which: number, auth: string): Promise<void> {
  const who = { address: whose, number: which, proof: auth };
  const found = await reads.orders(who, { status: "UNTRIGGERED" }).catch(() => []);
  if (address.value === whose && number.value === which) takeOrders(found);
}

setInterval(() => {
  if (address.value && !document.hidden) refresh();
}, REFRESH_MS);
