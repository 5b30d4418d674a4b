// SPDX-License-Identifier: AGPL-3.0-only
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { fixed } from "../../money/decimal";
import { compactUsd, grouped, price, ratio } from "../../money/format";
import { baseOf, type Market } from "../../money/market";
import { book, mid } from "../../state/feed";
import { settings, shownTheme } from "../../state/settings";
import { market } from "../../state/venue";
import { Empty } from "../../ui/bits";

interface Step {
  price: number;
  total: number;
  value: bigint;
}

interface Hovered {
  x: number;
  step: Step;
  ask: boolean;
}

function steps(levels: { price: number; size: number }[]): Step[] {
  let total = 0;
  let value = 0n;
  return levels.map((level) => {
    total += level.size;
    value += BigInt(level.price) * BigInt(level.size);
    return { price: level.price, total, value };
  });
}

const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

interface Drawn {
  bids: Step[];
  asks: Step[];
  low: number;
  high: number;
  width: number;
}

function draw(canvas: HTMLCanvasElement, at: number | null): Drawn | null {
  const sides = book.peek();
  const context = canvas.getContext("2d");
  if (!sides || !context || !sides.bids.length || !sides.asks.length) return null;
  const { clientWidth: width, clientHeight: height } = canvas;
  const dense = devicePixelRatio || 1;
  canvas.width = width * dense;
  canvas.height = height * dense;
  context.scale(dense, dense);
  const [bids, asks] = [steps(sides.bids), steps(sides.asks)];
  const centre = (sides.bids[0]!.price + sides.asks[0]!.price) / 2;
  const reach = Math.max(centre - bids.at(-1)!.price, asks.at(-1)!.price - centre) * 1.04;
  const [low, high] = [centre - reach, centre + reach];
  const deepest = Math.max(bids.at(-1)!.total, asks.at(-1)!.total) * 1.08;
  const floor = height - 22;
  const x = (value: number) => ((value - low) / (high - low)) * width;
  const y = (total: number) => floor - (total / deepest) * (floor - 16);
  for (const [side, name, edge] of [
    [bids, "up", 0],
    [asks, "down", width],
  ] as const) {
    context.beginPath();
    context.moveTo(x(side[0]!.price), floor);
    let before = floor;
    for (const step of side) {
      context.lineTo(x(step.price), before);
      before = y(step.total);
      context.lineTo(x(step.price), before);
    }
    context.lineTo(edge, before);
    context.strokeStyle = color(name);
    context.lineWidth = 1.5;
    context.stroke();
    context.lineTo(edge, floor);
    context.closePath();
    context.fillStyle = color(`${name}-soft`);
    context.fill();
  }
  context.fillStyle = color("muted");
  context.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  const m = market.peek()!;
  for (const share of [0.12, 0.31, 0.5, 0.69, 0.88]) {
    const text = price(m, BigInt(Math.round(low + (high - low) * share)));
    context.fillText(text, width * share - context.measureText(text).width / 2, height - 6);
  }
  if (at !== null) {
    context.strokeStyle = color("faint");
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, floor);
    context.stroke();
  }
  return { bids, asks, low, high, width };
}

function find(drawn: Drawn, x: number): Hovered | null {
  const value = drawn.low + ((drawn.high - drawn.low) * x) / drawn.width;
  const ask = value > (drawn.bids[0]!.price + drawn.asks[0]!.price) / 2;
  const side = ask ? drawn.asks : drawn.bids;
  const reached = side.filter((step) => (ask ? step.price <= value : step.price >= value)).at(-1) ?? side[0];
  return reached ? { x, step: reached, ask } : null;
}

export function DepthChart() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pointer = useRef<number | null>(null);
  const [hovered, setHovered] = useState<Hovered | null>(null);
  const m: Market | null = market.value;
  useEffect(() => {
    const element = canvas.current!;
    const paint = () => {
      const drawn = draw(element, pointer.current);
      setHovered(drawn && pointer.current !== null ? find(drawn, pointer.current) : null);
    };
    const stop = effect(() => {
      book.value;
      shownTheme.value;
      settings.value.palette;
      paint();
    });
    const watch = new ResizeObserver(paint);
    watch.observe(element);
    const move = (event: PointerEvent) => {
      pointer.current = event.offsetX;
      paint();
    };
    const out = () => {
      pointer.current = null;
      paint();
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerleave", out);
    return () => {
      stop();
      watch.disconnect();
    };
  }, []);
  const thin = book.value && (!book.value.bids.length || !book.value.asks.length);
  return (
    <div class="chart-box">
      <canvas
        ref={canvas}
        class="depth-canvas"
        role="img"
        aria-label="Depth of the book: cumulated size by price; the order book lists the same figures"
      />
      {thin && (
        <div class="chart-wait over">
          <Empty icon="chart" text="The book has one side only." />
        </div>
      )}
      {hovered && m && (
        <div
          class="depth-tip num"
          style={{ transform: `translateX(${Math.min(hovered.x + 12, (canvas.current?.clientWidth ?? 400) - 190)}px)` }}
          aria-hidden="true"
        >
          <div>
            <span>{hovered.ask ? "Up to" : "Down to"}</span>
            <b>{price(m, BigInt(hovered.step.price))}</b>
          </div>
          <div>
            <span>From mid</span>
            <b>{mid.value ? ratio(BigInt(hovered.step.price) - mid.value, mid.value, 2, true) : "–"}</b>
          </div>
          <div>
            <span>Size</span>
            <b>
              {grouped(fixed(BigInt(hovered.step.total), m.sizeDecimals, m.sizeDecimals))} {baseOf(m.ticker)}
            </b>
          </div>
          <div>
            <span>Value</span>
            <b>{compactUsd(hovered.step.value)}</b>
          </div>
        </div>
      )}
    </div>
  );
}
