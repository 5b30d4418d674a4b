// SPDX-License-Identifier: AGPL-3.0-only
/** Signs orders and sends them; cancels. Every answer is the exchange's own. */

import { ApiError, failure, request } from "../api/client";
import type { Order, Placed } from "../api/types";
import type { Message } from "../sign/messages";
import { covers, sessionKey } from "../state/session-key";
import { type Signed, sign, wire } from "../state/signer";
import { number } from "../state/subaccounts";
import { config } from "../state/venue";
import { address } from "../state/wallet";
import { type Ask, MARKET_LABEL, message, nextMs, RESTING_LIFETIME_S, type Stamp, stampFor } from "./build";

/**
 * How often an order is signed: again when its slot is in use, and only once, since each signature is good on chain, and
 * only the exchange knows whether the slot was.
 */
const ATTEMPTS = 2;

export interface Outcome {
  ask: Ask;
  placed: Placed | null;
  error: ApiError | null;
}

interface Ready {
  message: Message;
  signed: Signed;
}

/** Called before each signature, so that a person knows how many more there are. */
export type Progress = (done: number, of: number) => void;

/** Places one order, or several that may name earlier ones. Throws when nothing was placed at all. */
export async function place(asks: readonly Ask[], progress: Progress = () => {}): Promise<Outcome[]> {
  // Whoever chooses another subaccount while the wallet asks does not mean the rest of these orders.
  const whose = { account: address.value!, subaccount: number.value };
  let offered: readonly number[] = [];
  for (let attempt = 1; ; attempt += 1) {
    const bodies = await prepare(asks, whose, offered, progress);
    const answers = await send(bodies);
    const taken = answers.find((answer, at) => answer.error?.code === "slot_taken" && asks[at]!.timeInForce === "GTT");
    const nothing = answers.every((answer) => answer.error);
    if (taken && nothing && attempt < ATTEMPTS) {
      offered = (taken.error!.body as { freeSlots?: number[] }).freeSlots ?? [];
      continue;
    }
    if (nothing) throw answers[0]!.error!;
    return answers.map((answer, at) => ({ ask: asks[at]!, ...answer }));
  }
}

async function prepare(
  asks: readonly Ask[],
  whose: { account: string; subaccount: number },
  offered: readonly number[],
  progress: Progress,
): Promise<object[]> {
  const ready: Ready[] = [];
  const stamps: Stamp[] = [];
  const bodies: object[] = [];
  for (const [at, ask] of asks.entries()) {
    const { replacesAt, parentAt } = ask.extras ?? {};
    const before = replacesAt === undefined ? undefined : stamps[replacesAt];
    const stamp = before ? { ...before, revision: before.revision + 1 } : stampFor(ask, offered);
    const order = message(lasting(ask), whose.account, config.value!.settleWindow, stamp, whose.subaccount);
    // A chain of revisions shares the expiry of its first order.
    if (before) order.expiry = ready[replacesAt!]!.message.expiry!;
    progress(at, asks.length);
    const signed = await sign("Order", order);
    ready.push({ message: order, signed });
    stamps.push(stamp);
    const idAt = (place: number | undefined) => (place === undefined ? undefined : ready[place]!.signed.digest);
    bodies.push(body(ask, order, signed, idAt(parentAt), idAt(replacesAt)));
  }
  progress(asks.length, asks.length);
  return bodies;
}

/** A key cannot sign beyond its own end. */
function lasting(ask: Ask): Ask {
  if (ask.timeInForce !== "GTT" || !covers(ask.market.ticker)) return ask;
  const left = sessionKey.value!.expiry - Math.ceil(Date.now() / 1000) - config.value!.settleWindow - 2;
  return { ...ask, lifetimeS: Math.max(1, Math.min(ask.lifetimeS ?? RESTING_LIFETIME_S, left)) };
}

function body(ask: Ask, order: Message, signed: Signed, parent?: string, replaces?: string): object {
  const extras = ask.extras ?? {};
  const conditions = {
    ...(extras.notBefore ? { notBefore: extras.notBefore } : {}),
    ...(parent ? { parent } : {}),
    ...(extras.oco ? { oco: extras.oco } : {}),
    ...(extras.armPrice ? { armPrice: extras.armPrice.toString() } : {}),
  };
  const replaced = replaces ?? extras.replaces;
  return {
    order: wire(order),
    signature: signed.signature,
    ...(replaced ? { replaces: replaced } : { clientId: clientId(ask) }),
    ...(extras.immediate ? { immediate: true } : {}),
    ...(Object.keys(conditions).length ? { conditions } : {}),
  };
}

/** Both are immediate-or-cancel on the wire: the label says which of them a person meant. */
function clientId(ask: Ask): string {
  const drawn = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  return ask.atMarket ? MARKET_LABEL + drawn : drawn;
}

/** No answer is no refusal: neither from the front door nor from what stands behind it. */
const unheard = (error: ApiError): boolean => error.status === 0 || error.code === "relayer_unavailable";

const UNHEARD = new ApiError(
  0,
  "unreachable",
  "The exchange did not answer, so it is not known whether the order arrived. Look at your orders before you send it again.",
);

type Answer = Pick<Outcome, "placed" | "error">;

async function send(bodies: readonly object[]): Promise<Answer[]> {
  if (bodies.length === 1) {
    try {
      return [{ placed: await request<Placed>("/v4/orders", { method: "POST", body: bodies[0] }), error: null }];
    } catch (error) {
      if (error instanceof ApiError) return [{ placed: null, error: unheard(error) ? UNHEARD : error }];
      throw error;
    }
  }
  const answers: Answer[] = [];
  for (let start = 0; start < bodies.length; start += 50) {
    const { results } = await request<{ results: { status: number; body: unknown }[] }>("/v4/orders/batch", {
      method: "POST",
      body: { orders: bodies.slice(start, start + 50) },
    });
    for (const { status, body: told } of results) {
      if (status < 300) answers.push({ placed: told as Placed, error: null });
      else answers.push({ placed: null, error: failure(status, told) });
    }
  }
  return answers;
}

/** Where an order that rests stands in its chain of revisions. */
export type Chain = Pick<Order, "id" | "slot" | "generation" | "revision" | "subaccountNumber">;

/**
 * Signs a resting order anew; `ask.size` is the total, what is filled included. The old one stays when this is refused.
 * Only who signed an order can amend it: for what the wallet signed the wallet is asked.
 */
export async function amend(chain: Chain, ask: Ask): Promise<Placed> {
  const attempt = async (owner: boolean) => {
    const stamp = { generation: chain.generation, slot: chain.slot, revision: chain.revision + 1 };
    const order = message(lasting(ask), address.value!, config.value!.settleWindow, stamp, chain.subaccountNumber);
    const signed = await sign("Order", order, { owner });
    const answer = request<Placed>("/v4/orders", {
      method: "POST",
      body: { order: wire(order), signature: signed.signature, replaces: chain.id },
    });
    return { signed, answer };
  };
  const { signed, answer } = await attempt(false);
  try {
    return await answer;
  } catch (error) {
    const stranger = error instanceof ApiError && error.code === "amend_mismatch";
    if (signed.by === "owner" || !stranger) throw error;
    return (await attempt(true)).answer;
  }
}

interface Cancelled {
  cancelled: string[];
  seq: number;
}

/** Cancels one order. A key can only cancel what it signed: for what the wallet signed the wallet is asked. */
export async function cancel(orderId: string): Promise<Cancelled> {
  const attempt = async (owner: boolean) => {
    const order = { account: address.value!, subaccount: number.value, orderId, nonce: nextMs() };
    const signed = await sign("CancelOrder", order, { owner });
    const answer = request<Cancelled>(`/v4/orders/${orderId}`, {
      method: "DELETE",
      body: { cancel: wire(order), signature: signed.signature },
    });
    return { signed, answer };
  };
  const { signed, answer } = await attempt(false);
  try {
    return await answer;
  } catch (error) {
    const refused = error instanceof ApiError && [401, 403].includes(error.status);
    if (signed.by === "owner" || !refused) throw error;
    return (await attempt(true)).answer;
  }
}

/** Cancels everything, or everything of a market; `known` are the orders that are expected to end. */
export async function cancelAll(market: string, known: readonly string[]): Promise<string[]> {
  const attempt = async (owner: boolean) => {
    const all = { account: address.value!, subaccount: number.value, market, nonce: nextMs() };
    const signed = await sign("CancelAll", all, { owner });
    const answer = await request<Cancelled>("/v4/orders", {
      method: "DELETE",
      body: { cancelAll: wire(all), signature: signed.signature },
    });
    return { by: signed.by, ids: answer.cancelled };
  };
  const first = await attempt(false);
  const left = known.some((id) => !first.ids.includes(id));
  if (first.by === "owner" || !left) return first.ids;
  return [...first.ids, ...(await attempt(true)).ids];
}
