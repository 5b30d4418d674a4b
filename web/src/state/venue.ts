// SPDX-License-Identifier: AGPL-3.0-only
/** The exchange itself: its configuration, its markets, the stream, and how it feels. */

import { computed, signal } from "@preact/signals";
import { limitedUntil } from "../api/client";
import * as reads from "../api/reads";
import type { Config, MarketData } from "../api/types";
import { type Market, market as marketOf } from "../money/market";
import { conflated } from "../stream/conflate";
import { type Socket, Stream, type StreamState } from "../stream/socket";

export const config = signal<Config | null>(null);
export const configError = signal<string | null>(null);
export const listed = computed<Map<string, Market>>(
  () => new Map((config.value?.markets ?? []).map((record) => [record.ticker, marketOf(record)])),
);
export const marketData = signal<Record<string, MarketData>>({});
export const sparklines = signal<Record<string, string[]>>({});
export const streamState = signal<StreamState>("connecting");
export const problems = signal<string[]>([]);
export const now = signal(Date.now());

export const stream = new Stream(
  () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v4/ws`) as unknown as Socket,
  (state) => {
    streamState.value = state;
    if (state === "live" && problems.peek().length) void health();
  },
);

/** The market that the trade page shows. */
export const ticker = signal("BTC-USD");
export const market = computed(() => listed.value.get(ticker.value) ?? null);
export const current = computed(() => marketData.value[ticker.value] ?? null);

/** This computer's clock and the chain's may differ by so much without a false alarm. */
const CLOCKS_APART_S = 20;
const READY_EVERY_MS = 15_000;
const SPARKLINES_EVERY_MS = 300_000;

export async function start(): Promise<void> {
  setInterval(() => (now.value = Date.now()), 1_000);
  addEventListener("online", () => stream.nudge());
  follow();
  stream.start();
  await load();
  const refresh = () =>
    reads.sparklines().then(
      (lines) => (sparklines.value = lines),
      () => {},
    );
  void refresh();
  setInterval(refresh, SPARKLINES_EVERY_MS);
  void health();
  setInterval(() => document.hidden || void health(), READY_EVERY_MS);
}

async function load(): Promise<void> {
  try {
    config.value = await reads.config();
    configError.value = null;
  } catch (error) {
    configError.value = (error as Error).message;
    setTimeout(() => void load(), 3_000);
  }
}

async function health(): Promise<void> {
  try {
    problems.value = (await reads.ready()).problems ?? [];
  } catch (error) {
    const body = (error as { body?: { problems?: string[] } }).body;
    problems.value = body?.problems ?? [(error as Error).message];
  }
}

function follow(): void {
  let rows: Record<string, MarketData> = {};
  const show = conflated(() => (marketData.value = rows), 250);
  stream.follow({
    channel: "v4_markets",
    snapshot(contents: { markets: Record<string, MarketData> }) {
      rows = contents.markets;
      marketData.value = rows;
    },
    update(contents: {
      oraclePrices?: Record<string, { oraclePrice: string; effectiveAt: string }>;
      trading?: Record<string, Partial<MarketData>>;
    }) {
      const next = { ...rows };
      for (const [name, part] of Object.entries(contents.trading ?? {})) {
        next[name] = { ...next[name], ...part } as MarketData;
      }
      for (const [name, told] of Object.entries(contents.oraclePrices ?? {})) {
        const row = next[name];
        if (row) next[name] = { ...row, oraclePrice: told.oraclePrice, oraclePublishedAt: told.effectiveAt };
      }
      rows = next;
      show();
    },
  });
}

export interface Banner {
  level: "info" | "warn" | "bad";
  text: string;
}

/** The one thing that a person should know about the service now. */
export const banner = computed<Banner | null>(() => {
  if (configError.value) return { level: "bad", text: configError.value };
  if (streamState.value === "down") {
    return { level: "bad", text: "Live data is interrupted. Figures may be old; reconnecting." };
  }
  if (limitedUntil.value > now.value) {
    const seconds = Math.ceil((limitedUntil.value - now.value) / 1000);
    return { level: "warn", text: `Too many requests. The exchange takes the next one in ${seconds} s.` };
  }
  if (problems.value.length)
    return { level: "warn", text: `The service is degraded: ${problems.value.join("; ").replace(/\.$/, "")}.` };
  const published = Date.parse(current.value?.oraclePublishedAt ?? "");
  if (market.value && now.value - published > (market.value.maxPriceAge + CLOCKS_APART_S) * 1000) {
    return {
      level: "warn",
      text: `The index price of ${ticker.value} is old. Nothing fills until there is a new one.`,
    };
  }
  const status = current.value?.status;
  if (status === "CANCEL_ONLY") return { level: "warn", text: `${ticker.value} is reduce-only.` };
  if (status === "PAUSED") return { level: "warn", text: `Trading in ${ticker.value} is halted.` };
  if (status === "FINAL_SETTLEMENT") return { level: "warn", text: `Trading in ${ticker.value} has ended.` };
  return null;
});
