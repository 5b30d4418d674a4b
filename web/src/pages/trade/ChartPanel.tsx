// SPDX-License-Identifier: AGPL-3.0-only
import { effect, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import * as reads from "../../api/reads";
import type { Candle } from "../../api/types";
import { bar, bars, joined, RESOLUTIONS, type Resolution, secondsOf } from "../../chart/bars";
import { type Hover, type Indicator, PriceChart } from "../../chart/PriceChart";
import { floorToTick, type Market, priceText, priceUnits } from "../../money/market";
import { openOrders, positions } from "../../state/account";
import { kept, settings, shownTheme } from "../../state/settings";
import { market, stream } from "../../state/venue";
import { dialog, pick } from "../../state/view";
import { Empty } from "../../ui/bits";
import { Segmented } from "../../ui/Choice";
import { chartLines, chartMarks } from "./chartLines";
import { DepthChart } from "./DepthChart";

const INDICATORS: readonly (readonly [Indicator, string, string])[] = [
  ["volume", "Vol", "Volume"],
  ["ema", "EMA", "Exponential moving averages, 9 and 21"],
  ["bb", "BB", "Bollinger bands, 20 and 2"],
  ["rsi", "RSI", "Relative strength, 14"],
  ["macd", "MACD", "12, 26, 9"],
];

const chosen = kept<{ resolution: Resolution; indicators: Indicator[]; fit: boolean }>("ouro.chart", {
  resolution: "1MIN",
  indicators: ["volume", "ema"],
  fit: true,
});
const hover = signal<Hover | null>(null);

function Legend({ digits }: { digits: number }) {
  const at = hover.value;
  if (!at) return null;
  const show = (value: number) => value.toFixed(digits);
  const kind = at.change < 0 ? "down" : "up";
  return (
    <div class="chart-legend num" aria-hidden="true">
      O <b class={kind}>{show(at.bar.open)}</b> H <b class={kind}>{show(at.bar.high)}</b> L{" "}
      <b class={kind}>{show(at.bar.low)}</b> C <b class={kind}>{show(at.bar.close)}</b>{" "}
      <b class={kind}>{((at.change / at.bar.open) * 100).toFixed(2)}%</b> Vol {at.bar.volume.toFixed(3)}
    </div>
  );
}

interface CandlesProps {
  resolution: Resolution;
  indicators: readonly Indicator[];
  fit: boolean;
}

function Candles({ resolution, indicators, fit }: CandlesProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<PriceChart | null>(null);
  const older = useRef(() => {});
  const stops = useRef<(() => void)[]>([]);
  const [state, setState] = useState<"loading" | "empty" | "error" | "ready">("loading");
  const m = market.value;

  // Made when there is something to draw: an empty chart takes a phone as long as a full one.
  function build(m: Market): PriceChart {
    const made = new PriceChart(box.current!, m.tickDigits, {
      hover: (at) => (hover.value = at),
      pick: (price) => pick(price.toFixed(m.tickDigits)),
      oldest: () => older.current(),
      moved(order, price) {
        const units = priceUnits(m, price.toFixed(m.priceDecimals));
        dialog.value = { kind: "amend", order, price: priceText(m, floorToTick(m, units + m.tick / 2n)) };
      },
    });
    made.show(chosen.peek().indicators);
    made.fitLines(chosen.peek().fit);
    stops.current = [
      effect(() => made.setLines(chartLines(m, positions.value, openOrders.value))),
      effect(() => {
        shownTheme.value;
        settings.value.palette;
        made.paint();
      }),
    ];
    return made;
  }

  useEffect(
    () => () => {
      stops.current.forEach((stop) => stop());
      chart.current?.destroy();
      chart.current = null;
      hover.value = null;
    },
    [m],
  );

  useEffect(() => chart.current?.fitLines(fit), [fit]);

  useEffect(() => {
    chart.current?.show(indicators);
  }, [indicators.join()]);

  useEffect(() => {
    if (!m) return;
    setState("loading");
    let over = false;
    let live = false;
    let stopMarks = () => {};
    let asking = false;
    let whole = false;
    const read = () => reads.candles(m.ticker, resolution).catch(() => []);
    let early: Promise<Candle[]> | null = read();
    older.current = () => {
      const before = chart.current?.oldest;
      if (!live || asking || whole || before === undefined) return;
      asking = true;
      const until = new Date((before - 1) * 1000).toISOString();
      reads
        .candles(m.ticker, resolution, until)
        .then((more) => {
          if (over) return;
          whole = more.length === 0;
          chart.current?.prepend(bars(more, resolution));
        })
        .catch(() => {})
        .finally(() => (asking = false));
    };
    const leave = stream.follow({
      channel: "v4_candles",
      id: `${m.ticker}/${resolution}`,
      snapshot(contents: { candles: Candle[] }) {
        void take(contents.candles);
      },
      update(candle: Candle) {
        if (!live) return void take([candle]);
        chart.current?.update(bar(candle));
      },
    });
    async function take(newest: Candle[]) {
      // The snapshot of the stream is short; the rest of the screen is read once, at the same time.
      const rest = newest.length < 300 ? await (early ?? read()) : [];
      early = null;
      if (over) return;
      const shown = bars(joined(newest, rest), resolution);
      if (shown.length) chart.current ??= build(m!);
      chart.current?.setBars(shown, !live);
      if (shown.length) live = true;
      setState(shown.length ? "ready" : "empty");
      if (shown.length) performance.mark("chart-ready");
      stopMarks();
      stopMarks = chartMarks(m!, secondsOf(resolution), (marks) => over || chart.current?.setMarks(marks));
    }
    return () => {
      over = true;
      older.current = () => {};
      leave();
      stopMarks();
    };
  }, [m, resolution]);

  return (
    <div class="chart-box">
      <div
        class="chart-canvas"
        ref={box}
        role="region"
        aria-label={`Candles of ${m?.ticker ?? "the market"}; double-click takes a price into the ticket`}
      />
      {m && <Legend digits={m.tickDigits} />}
      {state === "loading" && <div class="chart-wait over skeleton" aria-hidden="true" />}
      {state === "empty" && (
        <div class="chart-wait over">
          <Empty icon="chart" text="No trades yet. The first one makes the first candle." />
        </div>
      )}
    </div>
  );
}

export function ChartPanel() {
  const [view, setView] = useState<"price" | "depth">("price");
  const { resolution, indicators, fit } = chosen.value;
  const toggle = (one: Indicator) =>
    (chosen.value = {
      ...chosen.value,
      indicators: indicators.includes(one) ? indicators.filter((other) => other !== one) : [...indicators, one],
    });
  return (
    <div class="chart-panel">
      <div class="panel-head chart-tools">
        <div class="intervals" role="radiogroup" aria-label="Interval">
          {view === "price" &&
            RESOLUTIONS.map(([key, text]) => (
              <button
                type="button"
                key={key}
                role="radio"
                class="tool"
                aria-checked={key === resolution}
                onClick={() => (chosen.value = { ...chosen.value, resolution: key })}
              >
                {text}
              </button>
            ))}
        </div>
        <div class="intervals" role="group" aria-label="Indicators">
          {view === "price" &&
            INDICATORS.map(([key, text, title]) => (
              <button
                type="button"
                key={key}
                class="tool"
                title={title}
                aria-pressed={indicators.includes(key)}
                onClick={() => toggle(key)}
              >
                {text}
              </button>
            ))}
        </div>
        {view === "price" && (
          <button
            type="button"
            class="tool"
            title="The price scale takes in entry, liquidation, exits and orders"
            aria-pressed={fit}
            onClick={() => (chosen.value = { ...chosen.value, fit: !fit })}
          >
            Fit lines
          </button>
        )}
        <span class="grow" />
        <Segmented
          label="Chart"
          value={view}
          onValue={setView}
          options={[
            ["price", "Price"],
            ["depth", "Depth"],
          ]}
          class="compact"
        />
      </div>
      {view === "price" ? <Candles resolution={resolution} indicators={indicators} fit={fit} /> : <DepthChart />}
    </div>
  );
}
