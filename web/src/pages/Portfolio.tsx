// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import * as reads from "../api/reads";
import type { PnlTick, Position } from "../api/types";
import { AreaChart, type AreaPoint } from "../chart/AreaChart";
import { moment, ratio, signedUsd, times, usd } from "../money/format";
import { PPM } from "../money/formulas";
import { usdc } from "../money/market";
import { loading, positions, standing, unknown } from "../state/account";
import { tier, tiers } from "../state/fees";
import { useHistory } from "../state/history";
import { choose, nameOf, number, subaccounts } from "../state/subaccounts";
import { now } from "../state/venue";
import { dialog } from "../state/view";
import { address } from "../state/wallet";
import { Empty, Skeleton, tone } from "../ui/bits";
import { Segmented } from "../ui/Choice";
import { type Column, DataTable } from "../ui/DataTable";
import { MarketIcon } from "../ui/MarketIcon";
import { Tables } from "./trade/tables/Tables";

type Span = "day" | "week" | "month" | "all";
const SPAN_MS: Record<Span, number> = { day: 86_400_000, week: 604_800_000, month: 2_592_000_000, all: Infinity };

interface Result {
  market: string;
  realized: bigint;
  unrealized: bigint;
  fees: bigint;
  funding: bigint;
  count: number;
}

function perMarket(closed: readonly Position[]): Result[] {
  const found = new Map<string, Result>();
  const at = (market: string) => {
    const before = found.get(market) ?? { market, realized: 0n, unrealized: 0n, fees: 0n, funding: 0n, count: 0 };
    found.set(market, before);
    return before;
  };
  for (const one of closed) {
    const sum = at(one.market);
    sum.realized += usdc(one.realizedPnl);
    sum.fees += usdc(one.fees);
    sum.funding += usdc(one.netFunding);
    sum.count += 1;
  }
  for (const one of positions.value) {
    const sum = at(one.market.ticker);
    sum.realized += one.realized;
    sum.unrealized += one.unrealized;
    sum.fees += one.fees;
    sum.funding += one.netFunding;
    sum.count += 1;
  }
  return [...found.values()];
}

const money = (value: bigint) => <span class={tone(value)}>{signedUsd(value)}</span>;
const COLUMNS: readonly Column<Result>[] = [
  {
    key: "market",
    label: "Market",
    text: true,
    value: (row) => row.market,
    cell: (row) => (
      <span class="market-link">
        <MarketIcon ticker={row.market} size={18} /> {row.market}
      </span>
    ),
  },
  { key: "count", label: "Positions", value: (row) => row.count, cell: (row) => row.count },
  { key: "realized", label: "Realised", value: (row) => row.realized, cell: (row) => money(row.realized) },
  { key: "unrealized", label: "Unrealised", value: (row) => row.unrealized, cell: (row) => money(row.unrealized) },
  { key: "funding", label: "Funding", value: (row) => row.funding, cell: (row) => money(row.funding) },
  { key: "fees", label: "Fees", value: (row) => row.fees, cell: (row) => usd(row.fees) },
  {
    key: "total",
    label: "Result",
    value: (row) => row.realized + row.unrealized,
    cell: (row) => money(row.realized + row.unrealized),
  },
];

function series(ticks: readonly PnlTick[], what: "equity" | "totalPnl", span: Span): AreaPoint[] {
  const from = now.peek() - SPAN_MS[span];
  const shown = [...ticks].reverse().filter((tick) => Date.parse(tick.createdAt) >= from);
  const points = shown.map((tick) => {
    const value = usdc(tick[what]);
    return {
      at: Date.parse(tick.createdAt),
      value: Number(value) / 1e6,
      text: `${what === "equity" ? usd(value) : signedUsd(value)} · ${moment(tick.createdAt)}`,
    };
  });
  const all = standing.value;
  if (what === "equity") points.push({ at: now.peek(), value: Number(all.equity) / 1e6, text: usd(all.equity) });
  return points;
}

function Figure({
  name,
  children,
  small,
}: {
  name: string;
  children: preact.ComponentChildren;
  small?: preact.ComponentChildren;
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>
        {loading.value ? <Skeleton width="96px" height="24px" /> : children}
        {small && <small>{small}</small>}
      </dd>
    </div>
  );
}

function Subaccounts() {
  const all = subaccounts.value ?? [];
  const total = all.reduce((sum, one) => sum + usdc(one.equity), 0n);
  return (
    <section class="card" aria-label="Subaccounts">
      <div class="row between wrap">
        <h2>
          Subaccounts <span class="muted num">{usd(total)}</span>
        </h2>
        <button type="button" class="button small" onClick={() => (dialog.value = { kind: "transfer" })}>
          Transfer
        </button>
      </div>
      <div class="subaccounts" role="radiogroup" aria-label="Subaccount that is shown">
        {all.map((one) => {
          const open = Object.keys(one.openPerpetualPositions).length;
          return (
            <button
              type="button"
              key={one.subaccountNumber}
              role="radio"
              class="wallet"
              aria-checked={one.subaccountNumber === number.value}
              onClick={() => choose(one.subaccountNumber)}
            >
              <span class="grow">
                {nameOf(one.subaccountNumber)}
                <small>
                  {open === 0 ? "No positions" : `${open} ${open === 1 ? "position" : "positions"}`} ·{" "}
                  {usd(usdc(one.freeCollateral))} free
                </small>
              </span>
              <span class="num">{usd(usdc(one.equity))}</span>
            </button>
          );
        })}
      </div>
    </section>
  );
}

export function Portfolio() {
  const [what, setWhat] = useState<"equity" | "totalPnl">("equity");
  const [span, setSpan] = useState<Span>("week");
  const ticks = useHistory(reads.profit);
  const closed = useHistory(reads.closedPositions);
  if (!address.value) {
    return (
      <div class="page">
        <h1>Portfolio</h1>
        <Empty icon="pie" text="Connect a wallet to see what its account holds.">
          <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "connect" })}>
            Connect
          </button>
        </Empty>
      </div>
    );
  }
  if (unknown.value) {
    return (
      <div class="page">
        <h1>Portfolio</h1>
        <Empty icon="download" text="Your account begins with a first deposit.">
          <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "deposit" })}>
            Deposit
          </button>
        </Empty>
      </div>
    );
  }
  const all = standing.value;
  const points = ticks.rows ? series(ticks.rows, what, span) : null;
  const results = closed.rows ? perMarket(closed.rows) : null;
  const total = results?.reduce((sum, row) => sum + row.realized + row.unrealized, 0n) ?? null;
  return (
    <div class="page">
      <div class="row between wrap page-head">
        <h1>Portfolio</h1>
        <div class="row">
          <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "deposit" })}>
            Deposit
          </button>
          <button type="button" class="button line" onClick={() => (dialog.value = { kind: "withdraw" })}>
            Withdraw
          </button>
        </div>
      </div>
      <dl class="figures">
        <Figure name="Equity" small={`${usd(all.free)} free`}>
          {usd(all.equity)}
        </Figure>
        <Figure name="Unrealised PnL" small={`${positions.value.length} open`}>
          <span class={tone(all.unrealized)}>{signedUsd(all.unrealized)}</span>
        </Figure>
        <Figure name="Result of all positions" small="with fees and funding">
          {total === null ? "–" : <span class={tone(total)}>{signedUsd(total)}</span>}
        </Figure>
        <Figure name="Leverage" small={`${ratio(all.maintenance, all.equity, 1)} of margin used`}>
          {times(all.exposure, all.equity)}
        </Figure>
        <Figure name="Fees, taker / maker" small={tiers.value.length ? "by 30-day volume" : "usual rates"}>
          {ratio(tier.value.takerPpm, PPM, 3)} / {ratio(tier.value.makerPpm, PPM, 3)}
        </Figure>
      </dl>
      {(subaccounts.value?.length ?? 0) > 1 && <Subaccounts />}
      <section class="card" aria-label="History">
        <div class="row between wrap">
          <Segmented
            label="Series"
            value={what}
            onValue={setWhat}
            options={[
              ["equity", "Equity"],
              ["totalPnl", "PnL"],
            ]}
          />
          <Segmented
            label="Span"
            value={span}
            onValue={setSpan}
            options={[
              ["day", "24h"],
              ["week", "7d"],
              ["month", "30d"],
              ["all", "All"],
            ]}
          />
        </div>
        {ticks.error && <p class="note bad">{ticks.error}</p>}
        {points === null ? (
          <div class="area-wait">
            <Skeleton height="200px" />
          </div>
        ) : points.length < 2 ? (
          <Empty icon="chart" text="The first point is made at the end of the hour." />
        ) : (
          <AreaChart
            points={points}
            label={what === "equity" ? "Equity over time" : "Profit and loss over time"}
            zero={what === "totalPnl"}
          />
        )}
      </section>
      <section class="card table-card" aria-label="Result per market">
        <h2>Result per market</h2>
        <DataTable
          name="results"
          rows={results}
          error={closed.error}
          columns={COLUMNS}
          rowKey={(row) => row.market}
          empty={{ icon: "pie", text: "No positions yet." }}
        />
      </section>
      <section class="card table-card tall" aria-label="Your account">
        <Tables />
      </section>
    </div>
  );
}
