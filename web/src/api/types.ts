// SPDX-License-Identifier: AGPL-3.0-only
/** What the exchange answers; see docs/api.md. All amounts are plain decimal strings. */

import type { MarketRecord } from "../money/market";

export type Side = "BUY" | "SELL";

export interface TypedField {
  name: string;
  type: string;
}

export interface Domain {
  name: string;
  version: string;
  chainId: number;
  verifyingContract: `0x${string}`;
}

export interface Config {
  name: string;
  chainId: number;
  testNetwork: boolean;
  settleWindow: number;
  withdrawalDelay: number;
  contracts: Record<"usdc" | "exchange" | "vault" | "oracle", `0x${string}`>;
  markets: MarketRecord[];
  domain: Domain;
  vaultDomain: Domain;
  types: Record<string, TypedField[]>;
  rpcUrl?: string;
  faucet?: boolean;
}

export interface MarketData {
  ticker: string;
  status: string;
  oraclePrice: string | null;
  oraclePublishedAt?: string | null;
  priceChange24H: string;
  volume24H: string;
  trades24H: number;
  nextFundingRate: string;
  fundingRate: string;
  openInterest: string;
  maxOpenInterest: string;
  initialMarginFraction: string;
  effectiveInitialMarginFraction: string;
  maintenanceMarginFraction: string;
}

export interface Trade {
  id: string;
  side: Side;
  size: string;
  price: string;
  type: string;
  createdAt: string;
}

export interface Candle {
  startedAt: string;
  open: string;
  high: string;
  low: string;
  close: string;
  baseTokenVolume: string;
  usdVolume: string;
  trades: number;
}

export interface Position {
  market: string;
  status: string;
  side: "LONG" | "SHORT";
  size: string;
  maxSize: string;
  entryPrice: string;
  exitPrice: string | null;
  realizedPnl: string;
  unrealizedPnl: string;
  createdAt: string;
  closedAt: string | null;
  sumOpen: string;
  sumClose: string;
  netFunding: string;
  fees: string;
  positionId: string;
}

export interface Subaccount {
  address: string;
  subaccountNumber: number;
  equity: string;
  freeCollateral: string;
  cash: string;
  withdrawable: string;
  initialMargin: string;
  maintenanceMargin: string;
  openPerpetualPositions: Record<string, Position>;
}

export interface Order {
  id: string;
  clientId: string;
  side: Side;
  size: string;
  totalFilled: string;
  price: string;
  type: string;
  status: string;
  timeInForce: string;
  postOnly: boolean;
  reduceOnly: boolean;
  goodTilBlockTime: string | null;
  createdAt: string | null;
  triggerPrice: string | null;
  averageFillPrice?: string | null;
  updatedAt: string | null;
  ticker: string;
  removalReason?: string | null;
  trigger: string;
  immediate: boolean;
  notBefore: string | number | null;
  parent: string;
  oco: string;
  armPrice: string | null;
  selfTrade: string;
  subaccountNumber: number;
  slot: number;
  generation: number;
  revision: number;
}

export interface Fill {
  id: string;
  side: Side;
  liquidity: string;
  type: string;
  market: string;
  price: string;
  size: string;
  fee: string;
  realizedPnl: string | null;
  createdAt: string;
  orderId: string | null;
  transactionHash: string;
  status: string;
}

export interface Transfer {
  id: string;
  size: string;
  type: string;
  createdAt: string;
  transactionHash: string;
  status: string;
}

export interface FundingPayment {
  createdAt: string;
  ticker: string;
  size: string;
  side: string;
  rate: string;
  payment: string;
  oraclePrice: string;
  positionId: string;
}

export interface PnlTick {
  equity: string;
  totalPnl: string;
  netTransfers: string;
  createdAt: string;
}

export interface SessionKeyRecord {
  address: string;
  key: string;
  markets: string[];
  budget: string;
  expiresAt: string;
  revokedAt: string | null;
  status: string;
}

export interface WithdrawalRecord {
  id: string;
  size: string;
  recipient: string;
  status: string;
  readyAt: string;
}

export interface Match {
  id: string;
  ticker: string;
  price: string;
  size: string;
  takerSide: Side;
  taker: string;
  takerOrderId: string;
  makerOrderId: string;
  status: string;
  reason: string;
}

export interface Placed {
  id: string;
  clientId: string;
  status: string;
  filled: string | number;
  seq: number | string;
  reason?: string;
}

export interface Status {
  orders: { taken: boolean; reason: string };
  problems: string[];
}
