// SPDX-License-Identifier: AGPL-3.0-only
/** The exchange itself: its configuration, its markets, the stream. */

import { computed, signal } from "@preact/signals";
import { objection } from "../api/objection";
import * as reads from "../api/reads";
import type { Config, MarketData } from "../api/types";
import { type Market, market as marketOf } from "../money/market";
import { conflated } from "../stream/conflate";
import { type Socket, Stream, type StreamState } from "../stream/socket";
import { notify } from "./notices";
import { kept } from "./settings";

export const config = signal<Config | null>(null);
export const configError = signal<string | null>(null);
export const listed = computed<Map<string, Market>>(
  () => new Map((config.value?.markets ?? []).map((record) => [record.ticker, marketOf(record)])),
);
export const marketData = signal<Record<string, MarketData>>({});
export const sparklines = signal<Record<string, string[]>>({});
export const streamState = signal<StreamState>("connecting");
export const now = signal(Date.now());

export const stream = new Stream(
  () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v4/ws`) as unknown as Socket,
  (state) => (streamState.value = state),
);

/** The market that the trade page shows. */
export const ticker = signal("BTC-USD");
export const market = computed(() => listed.value.get(ticker.value) ?? null);
export const current = computed(() => marketData.value[ticker.value] ?? null);

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
}

const known = kept<string>("ouro.exchange", "");

/** The same address may serve another exchange one day, and the page cannot know whether that is meant to be. */
function recognise({ chainId, contracts }: Config): void {
  const now = [chainId, contracts.exchange, contracts.vault, contracts.usdc].join(" ");
  if (known.peek() && known.peek() !== now) {
    notify(
      "transfer",
      "bad",
      "Other contracts than before",
      `This address announces the Vault ${contracts.vault} on chain ${chainId}; on your last visit it was another exchange. Sign nothing unless you know why.`,
    );
  }
  known.value = now;
}

async function load(): Promise<void> {
  try {
    const told = await reads.config();
    const wrong = objection(told);
    if (wrong) throw new Error(wrong);
    recognise(told);
    config.value = told;
    configError.value = null;
  } catch (error) {
    configError.value = (error as Error).message;
    setTimeout(() => void load(), 3_000);
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
