// SPDX-License-Identifier: AGPL-3.0-only
/** The candle chart: lightweight-charts with the account's lines and fills drawn in. */

import {
  type AutoscaleInfo,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type SeriesMarker,
  TickMarkType,
  type Time,
} from "lightweight-charts";
import { grouped } from "../money/format";
import { dragLines } from "./drag";
import { type Bar, bollinger, ema, macd, rsi } from "./indicators";

export interface Line {
  key: string;
  price: number;
  text: string;
  kind: "entry" | "liquidation" | "profit" | "stop" | "buy" | "sell";
  /** Whether it may be dragged to another price. */
  movable?: boolean;
}

/** What the chart tells whoever shows it. */
export interface Heard {
  hover(hover: Hover | null): void;
  pick(price: number): void;
  /** The left edge is near: older bars are wanted. */
  oldest(): void;
  moved(key: string, price: number): void;
}

export interface Mark {
  time: number;
  buy: boolean;
  text: string;
}

export type Indicator = "volume" | "ema" | "bb" | "rsi" | "macd";

export interface Hover {
  bar: Bar;
  change: number;
}

/** Lines farther from the price than this share of it would flatten the candles. */
const FITTED = 0.3;

/** How near to a line the pointer takes hold of it. */
const GRIP_PX = 5;

/** Bars from the left edge at which older ones are asked for. */
const NEAR_OLDEST = 20;

const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Hours and minutes (UTC, as the bars), for which the library makes a formatter each time; days as it shows them. */
const tickText = (time: Time, kind: TickMarkType): string | null =>
  kind === TickMarkType.Time ? new Date((time as number) * 1000).toISOString().slice(11, 16) : null;

export class PriceChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly marks: ISeriesMarkersPluginApi<Time>;
  private volume: ISeriesApi<"Histogram"> | null = null;
  private extra: ISeriesApi<"Line" | "Histogram">[] = [];
  private shown: readonly Indicator[] = [];
  private lines = new Map<string, { handle: IPriceLine; line: Line }>();
  private held: Bar[] = [];
  private fitted = true;
  private dragged: { key: string; price: number } | null = null;
  private readonly undrag: () => void;

  constructor(
    box: HTMLElement,
    private readonly digits: number,
    heard: Heard,
  ) {
    this.chart = createChart(box, {
      autoSize: true,
      // Its own badge brings a style element, which the content security policy refuses; the page names it instead.
      layout: { attributionLogo: false, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.22 } },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 6,
        barSpacing: 8,
        tickMarkFormatter: tickText,
      },
      localization: { locale: navigator.language },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      borderVisible: false,
      priceFormat: {
        type: "custom",
        formatter: (price: number) => grouped(price.toFixed(digits)),
        minMove: 10 ** -digits,
      },
      autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => this.fit(original()),
    });
    this.marks = createSeriesMarkers(this.candles, []);
    this.chart.subscribeCrosshairMove((event) => {
      const at = event.time as number | undefined;
      const index = at === undefined ? -1 : this.held.findIndex((bar) => bar.time === at);
      heard.hover(
        index < 0 ? null : { bar: this.held[index]!, change: this.held[index]!.close - this.held[index]!.open },
      );
    });
    this.chart.subscribeDblClick((event) => {
      const price = event.point && this.candles.coordinateToPrice(event.point.y);
      if (price) heard.pick(price);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && this.held.length > 0 && range.from < NEAR_OLDEST) heard.oldest();
    });
    this.undrag = dragLines(box, {
      at: (y) => this.lineAt(y),
      move: (key, y) => {
        const price = this.candles.coordinateToPrice(y);
        if (price === null || price <= 0) return;
        this.dragged = { key, price };
        this.lines.get(key)?.handle.applyOptions({ price });
      },
      drop: (key, moved) => {
        const price = this.dragged?.price;
        this.dragged = null;
        const line = this.lines.get(key);
        line?.handle.applyOptions({ price: line.line.price });
        if (moved && price) heard.moved(key, price);
      },
    });
    this.paint();
  }

  /** Whether the price scale takes in the lines, too. */
  fitLines(on: boolean): void {
    this.fitted = on;
    this.chart.priceScale("right").applyOptions({ autoScale: true });
  }

  /** Puts older bars before those that are shown; nothing moves on the screen. */
  prepend(older: readonly Bar[]): void {
    const first = this.held[0]?.time ?? Infinity;
    const before = older.filter((bar) => bar.time < first);
    if (before.length === 0) return;
    const range = this.chart.timeScale().getVisibleLogicalRange();
    this.setBars([...before, ...this.held], false);
    if (range) {
      this.chart.timeScale().setVisibleLogicalRange({ from: range.from + before.length, to: range.to + before.length });
    }
  }

  /** When the oldest bar begins, seconds since 1970. */
  get oldest(): number | undefined {
    return this.held[0]?.time;
  }

  /** Takes the colours of the theme that is set now. */
  paint(): void {
    const [up, down, line] = [color("up"), color("down"), color("line")];
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: color("surface") },
        textColor: color("muted"),
        panes: { separatorColor: line },
      },
      grid: { vertLines: { color: color("raised") }, horzLines: { color: color("raised") } },
      crosshair: {
        vertLine: { color: color("faint"), labelBackgroundColor: color("line-strong") },
        horzLine: { color: color("faint"), labelBackgroundColor: color("line-strong") },
      },
    });
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.redraw();
    const lines = [...this.lines.values()].map(({ line }) => line);
    this.setLines([]);
    this.setLines(lines);
  }

  setBars(bars: Bar[], follow: boolean): void {
    this.held = bars;
    this.candles.setData(bars.map((bar) => ({ ...bar, time: bar.time as Time })));
    this.redraw();
    if (follow) {
      this.chart.timeScale().setVisibleLogicalRange({
        from: Math.max(bars.length - 110, -50 + Math.min(0, bars.length - 60)),
        to: bars.length + 6,
      });
      this.chart.priceScale("right").applyOptions({ autoScale: true });
    }
  }

  update(bar: Bar): void {
    const last = this.held.at(-1);
    if (last && bar.time < last.time) return;
    if (last && bar.time === last.time) this.held[this.held.length - 1] = bar;
    else this.held.push(bar);
    this.candles.update({ ...bar, time: bar.time as Time });
    this.volume?.update(this.column(bar));
    if (this.extra.length) this.redraw();
  }

  show(indicators: readonly Indicator[]): void {
    for (const series of this.extra) this.chart.removeSeries(series);
    this.extra = [];
    if (this.volume) this.chart.removeSeries(this.volume);
    this.volume = null;
    while (this.chart.panes().length > 1) this.chart.removePane(1);
    this.shown = indicators;
    if (indicators.includes("volume")) {
      this.volume = this.chart.addSeries(HistogramSeries, {
        priceScaleId: "volume",
        priceFormat: { type: "volume" },
        lastValueVisible: false,
        priceLineVisible: false,
      });
      this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    }
    const quiet = {
      lastValueVisible: false,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
      lineWidth: 1 as const,
    };
    const line = (name: string, pane = 0) =>
      this.extra.push(this.chart.addSeries(LineSeries, { ...quiet, color: color(name) }, pane));
    if (indicators.includes("ema")) ["gold", "accent"].forEach((name) => line(name));
    if (indicators.includes("bb")) ["faint", "line-strong", "line-strong"].forEach((name) => line(name));
    let pane = 1;
    if (indicators.includes("rsi")) line("gold", pane++);
    if (indicators.includes("macd")) {
      this.extra.push(
        this.chart.addSeries(HistogramSeries, { lastValueVisible: false, priceLineVisible: false }, pane),
      );
      ["accent", "gold"].forEach((name) => line(name, pane));
    }
    this.chart
      .panes()
      .slice(1)
      .forEach((one) => one.setHeight(90));
    this.redraw();
  }

  setLines(lines: readonly Line[]): void {
    const wanted = new Map(lines.map((line) => [line.key, line]));
    for (const [key, { handle }] of this.lines) {
      if (!wanted.has(key)) {
        this.candles.removePriceLine(handle);
        this.lines.delete(key);
      }
    }
    for (const [key, line] of wanted) {
      const options = this.lineOptions(line);
      const before = this.lines.get(key);
      if (before)
        before.handle.applyOptions(this.dragged?.key === key ? { ...options, price: this.dragged.price } : options);
      else this.lines.set(key, { handle: this.candles.createPriceLine(options), line });
      this.lines.get(key)!.line = line;
    }
  }

  setMarks(marks: readonly Mark[]): void {
    const [up, down] = [color("up"), color("down")];
    this.marks.setMarkers(
      marks.map(
        (mark): SeriesMarker<Time> => ({
          time: mark.time as Time,
          position: mark.buy ? "belowBar" : "aboveBar",
          shape: mark.buy ? "arrowUp" : "arrowDown",
          color: mark.buy ? up : down,
          text: mark.text,
          size: 0.8,
        }),
      ),
    );
  }

  destroy(): void {
    this.undrag();
    this.chart.remove();
  }

  private redraw(): void {
    const bars = this.held;
    this.volume?.setData(bars.map((bar) => this.column(bar)));
    const series = [...this.extra];
    const put = (points: { time: number; value: number }[]) =>
      series.shift()?.setData(points.map((point) => ({ time: point.time as Time, value: point.value })));
    if (this.shown.includes("ema")) [9, 21].forEach((length) => put(ema(bars, length)));
    if (this.shown.includes("bb")) {
      const { middle, upper, lower } = bollinger(bars);
      [middle, upper, lower].forEach(put);
    }
    if (this.shown.includes("rsi")) put(rsi(bars));
    if (this.shown.includes("macd")) {
      const { line, signal, histogram } = macd(bars);
      const [up, down] = [color("up"), color("down")];
      series.shift()?.setData(
        histogram.map((point) => ({
          time: point.time as Time,
          value: point.value,
          color: point.value < 0 ? down : up,
        })),
      );
      [line, signal].forEach(put);
    }
  }

  private column(bar: Bar) {
    return { time: bar.time as Time, value: bar.volume, color: color(bar.close < bar.open ? "down-soft" : "up-soft") };
  }

  private lineOptions(line: Line) {
    const names = { entry: "muted", liquidation: "warn", profit: "up", stop: "down", buy: "up", sell: "down" } as const;
    const dashed = line.kind === "buy" || line.kind === "sell" ? LineStyle.Dotted : LineStyle.Dashed;
    return {
      price: line.price,
      title: line.text,
      color: color(names[line.kind]),
      lineWidth: 1 as const,
      lineStyle: line.kind === "entry" ? LineStyle.Solid : dashed,
      axisLabelVisible: true,
      axisLabelColor: color("line-strong"),
      axisLabelTextColor: color("text"),
    };
  }

  private lineAt(y: number): string | null {
    for (const [key, { line }] of this.lines) {
      const at = line.movable ? this.candles.priceToCoordinate(line.price) : null;
      if (at !== null && Math.abs(at - y) <= GRIP_PX) return key;
    }
    return null;
  }

  /** The range of the candles, with the lines that are near enough. */
  private fit(info: AutoscaleInfo | null): AutoscaleInfo | null {
    const range = info?.priceRange;
    const last = this.held.at(-1)?.close;
    if (!info || !range || !last || !this.fitted) return info;
    const near = [...this.lines.values()]
      .map(({ line }) => line.price)
      .filter((price) => Math.abs(price / last - 1) < FITTED);
    // A market that stands still gets some air instead of one line over the whole height.
    const air = Math.max(5 * 10 ** -this.digits, last * 0.0004);
    const low = Math.min(range.minValue, ...near);
    const high = Math.max(range.maxValue, ...near);
    const short = Math.max(0, air * 2 - (high - low)) / 2;
    return { ...info, priceRange: { minValue: low - short, maxValue: high + short } };
  }
}
