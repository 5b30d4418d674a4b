// SPDX-License-Identifier: AGPL-3.0-only
/** A line over time with an area beneath, drawn as SVG: for history, not for markets. */

import { useId, useRef, useState } from "preact/hooks";

export interface AreaPoint {
  at: number;
  value: number;
  text: string;
}

const WIDTH = 800;
const HEIGHT = 220;
const PAD = 14;

export function AreaChart({ points, label, zero }: { points: readonly AreaPoint[]; label: string; zero?: boolean }) {
  const [near, setNear] = useState<AreaPoint | null>(null);
  const box = useRef<SVGSVGElement>(null);
  const id = useId();
  const values = points.map((point) => point.value);
  let [low, high] = [Math.min(...values, ...(zero ? [0] : [])), Math.max(...values, ...(zero ? [0] : []))];
  const air = (high - low || Math.abs(high) || 1) * 0.12;
  low -= air;
  high += air;
  const first = points[0]!.at;
  const last = points.at(-1)!.at;
  const x = (at: number) => (last === first ? WIDTH / 2 : ((at - first) / (last - first)) * WIDTH);
  const y = (value: number) => PAD + (1 - (value - low) / (high - low)) * (HEIGHT - 2 * PAD);
  const line = points.map((point) => `${x(point.at).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ");
  const base = zero ? y(0) : HEIGHT;
  const end = points.at(-1)!.value;
  const color = zero ? (end >= 0 ? "var(--up)" : "var(--down)") : "var(--accent)";

  function onPointerMove(event: PointerEvent) {
    const bounds = box.current!.getBoundingClientRect();
    const at = first + ((event.clientX - bounds.left) / bounds.width) * (last - first);
    setNear(points.reduce((best, point) => (Math.abs(point.at - at) < Math.abs(best.at - at) ? point : best)));
  }

  return (
    <figure class="area-chart">
      <figcaption class="num" aria-hidden="true">
        {near ? near.text : points.at(-1)!.text}
      </figcaption>
      <svg
        ref={box}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}. Now ${points.at(-1)!.text}.`}
        onPointerMove={onPointerMove}
        onPointerLeave={() => setNear(null)}
      >
        <defs>
          <linearGradient id={id} x1="0" x2="0" y1="0" y2="1">
            <stop offset="0" stop-color={color} stop-opacity="0.28" />
            <stop offset="1" stop-color={color} stop-opacity="0.02" />
          </linearGradient>
        </defs>
        <polygon points={`0,${base} ${line} ${x(last)},${base}`} fill={`url(#${id})`} />
        {zero && (
          <line
            x1="0"
            x2={WIDTH}
            y1={base}
            y2={base}
            stroke="var(--line-strong)"
            stroke-dasharray="3 4"
            vector-effect="non-scaling-stroke"
          />
        )}
        <polyline
          points={line}
          fill="none"
          stroke={color}
          stroke-width="2"
          stroke-linejoin="round"
          vector-effect="non-scaling-stroke"
        />
        {near && (
          <line
            x1={x(near.at)}
            x2={x(near.at)}
            y1="0"
            y2={HEIGHT}
            stroke="var(--faint)"
            stroke-dasharray="3 4"
            vector-effect="non-scaling-stroke"
          />
        )}
      </svg>
    </figure>
  );
}
