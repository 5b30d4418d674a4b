// SPDX-License-Identifier: AGPL-3.0-only
/** The reads that the app makes. Those of an account take the owner's proof, without which waiting orders stay hidden. */

import { request } from "./client";
import type {
  Candle,
  Config,
  Fill,
  FundingPayment,
  MarketData,
  Order,
  PnlTick,
  Position,
  SessionKeyRecord,
  Status,
  Subaccount,
  Trade,
  Transfer,
  WithdrawalRecord,
} from "./types";

export const config = () => request<Config>("/v4/config");

export const markets = async () =>
  (await request<{ markets: Record<string, MarketData> }>("/v4/perpetualMarkets")).markets;

export const sparklines = () =>
  request<Record<string, string[]>>("/v4/sparklines", { query: { timePeriod: "ONE_DAY" } });

export const candles = async (ticker: string, resolution: string, toISO?: string, limit = 500, signal?: AbortSignal) =>
  (
    await request<{ candles: Candle[] }>(`/v4/candles/perpetualMarkets/${ticker}`, {
      query: { resolution, toISO, limit },
      ...(signal ? { signal } : {}),
    })
  ).candles;

export const trades = async (ticker: string) =>
  (await request<{ trades: Trade[] }>(`/v4/trades/perpetualMarket/${ticker}`, { query: { limit: 100 } })).trades;

export interface Who {
  address: string;
  /** 0 unless given. */
  number?: number | undefined;
  proof?: string | undefined;
  seq?: number | undefined;
}

const headers = (who: Who) => (who.proof ? { headers: { "Ouro-Read": who.proof } } : {});
const account = (who: Who, more: Record<string, string | number | undefined> = {}) => ({
  query: { address: who.address, subaccountNumber: who.number ?? 0, atSeq: who.seq, ...more },
  ...headers(who),
});

export const subaccounts = async (who: Who) =>
  (
    await request<{ subaccounts: Subaccount[] }>(`/v4/addresses/${who.address}`, {
      query: { atSeq: who.seq },
      ...headers(who),
    })
  ).subaccounts;

export const orders = (who: Who, more: Record<string, string | number> = {}) =>
  request<Order[]>("/v4/orders", account(who, { limit: 200, ...more }));

export const fills = async (who: Who) =>
  (await request<{ fills: Fill[] }>("/v4/fills", account(who, { limit: 200 }))).fills;

export const transfers = async (who: Who) =>
  (await request<{ transfers: Transfer[] }>("/v4/transfers", account(who, { limit: 200 }))).transfers;

export const funding = async (who: Who) =>
  (await request<{ fundingPayments: FundingPayment[] }>("/v4/fundingPayments", account(who, { limit: 200 })))
    .fundingPayments;

export const closedPositions = async (who: Who) =>
  (
    await request<{ positions: Position[] }>(
      "/v4/perpetualPositions",
      account(who, { status: "CLOSED,LIQUIDATED", limit: 200 }),
    )
  ).positions;

export const profit = async (who: Who) =>
  (await request<{ historicalPnl: PnlTick[] }>("/v4/historical-pnl", account(who, { limit: 1000 }))).historicalPnl;

export const monthlyVolumes = async () =>
  (
    await request<{ leaderboard: { address: string; volume: string }[] }>("/v4/leaderboard", {
      query: { by: "VOLUME", window: "MONTH" },
    })
  ).leaderboard;

export const sessionKeys = async (address: string) =>
  (await request<{ sessionKeys: SessionKeyRecord[] }>("/v4/sessionKeys", { query: { address } })).sessionKeys;

export const withdrawals = async (address: string) =>
  (await request<{ withdrawals: WithdrawalRecord[] }>("/v4/withdrawals", { query: { address } })).withdrawals;

const STATUS_WITHIN_MS = 8_000;

export const status = () => request<Status>("/v4/status", { signal: AbortSignal.timeout(STATUS_WITHIN_MS) });

export const faucet = (address: string) =>
  request<Record<string, unknown>>("/v4/faucet", { method: "POST", body: { address } });
