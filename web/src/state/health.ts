// SPDX-License-Identifier: AGPL-3.0-only
/** Whether the exchange can be traded on, and the one thing that a person should know about it before sending anything. */

import { computed, effect, signal } from "@preact/signals";
import { limitedUntil } from "../api/client";
import * as reads from "../api/reads";
import type { Status } from "../api/types";
import { config, configError, current, market, now, streamState, ticker } from "./venue";

const ASKED_EVERY_MS = 5_000;
/** A short interruption of the stream is nobody's worry; the first connection may take longer. */
const DROP_MS = 2_000;
const FIRST_MS = 8_000;
/** This computer's clock and the chain's may differ by so much without a false alarm. */
const CLOCKS_APART_S = 20;

/** What the front door said last; null until it has. */
const status = signal<Status | null>(null);
/** Two questions in a row without an answer. */
const unanswered = signal(0);
const droppedAt = signal<number | null>(null);
let wasLive = false;

effect(() => {
  if (streamState.value === "live") {
    wasLive = true;
    droppedAt.value = null;
  } else if (droppedAt.peek() === null) droppedAt.value = Date.now();
  void ask();
});

async function ask(): Promise<void> {
  try {
    status.value = await reads.status();
    unanswered.value = 0;
  } catch (error) {
    // Whoever answers that requests come too fast is there.
    if ((error as { status?: number }).status !== 429) unanswered.value += 1;
  }
}

export function watch(): void {
  setInterval(() => document.hidden || void ask(), ASKED_EVERY_MS);
  addEventListener("visibilitychange", () => document.hidden || void ask());
}

const interrupted = computed(() => {
  const since = droppedAt.value;
  return since !== null && now.value - since > (wasLive ? DROP_MS : FIRST_MS);
});
const gone = computed(() => unanswered.value > 1);

/** Why orders are not taken now; empty when they are, or when nobody knows. */
export const ordersRefused = computed(() => {
  if (gone.value) return "The exchange does not answer.";
  const told = status.value?.orders;
  return told && !told.taken ? sentence(told.reason || "the relayer is not ready") : "";
});

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

export interface Banner {
  level: "warn" | "bad";
  text: string;
  /** What still works. */
  still?: string;
}

const CHAIN_STILL = "Your funds are on chain: Withdraw, “Without the operator”, needs only your wallet.";

export const banner = computed<Banner | null>(() => {
  if (configError.value) return { level: "bad", text: configError.value, still: "Trying again every few seconds." };
  if (gone.value) {
    return {
      level: "bad",
      text: "The exchange does not answer. Trying again.",
      still: config.value ? `What rests in the book stays. ${CHAIN_STILL}` : "",
    };
  }
  if (ordersRefused.value) {
    return {
      level: "bad",
      text: `Orders and cancels are not taken now. ${ordersRefused.value}`,
      still: `Positions and resting orders stay as they are. ${CHAIN_STILL}`,
    };
  }
  if (interrupted.value) {
    return {
      level: "bad",
      text: "Live data is interrupted. Figures may be old; reconnecting.",
      still: "Orders and cancels are taken.",
    };
  }
  if (limitedUntil.value > now.value) {
    const seconds = Math.ceil((limitedUntil.value - now.value) / 1000);
    return { level: "warn", text: `Too many requests. The exchange takes the next one in ${seconds} s.` };
  }
  const problems = status.value?.problems ?? [];
  if (problems.length) {
    return {
      level: "warn",
      text: sentence(problems.join("; ")),
      still: "Orders are taken; balances, positions and fills are shown late.",
    };
  }
  return ofMarket.value;
});

const ofMarket = computed<Banner | null>(() => {
  const published = Date.parse(current.value?.oraclePublishedAt ?? "");
  if (market.value && now.value - published > (market.value.maxPriceAge + CLOCKS_APART_S) * 1000) {
    return {
      level: "warn",
      text: `The index price of ${ticker.value} is old. Nothing fills until there is a new one.`,
      still: "Orders can be cancelled.",
    };
  }
  switch (current.value?.status) {
    case "CANCEL_ONLY":
      return { level: "warn", text: `${ticker.value} is reduce-only.`, still: "Positions can be closed." };
    case "PAUSED":
      return { level: "warn", text: `Trading in ${ticker.value} is halted.`, still: "Orders can be cancelled." };
    case "FINAL_SETTLEMENT":
      return {
        level: "warn",
        text: `Trading in ${ticker.value} has ended.`,
        still: "Positions are settled at the final price.",
      };
    default:
      return null;
  }
});
