// SPDX-License-Identifier: AGPL-3.0-only
/** Small pieces that many places use. */

import type { ComponentChildren } from "preact";
import { go } from "../state/router";
import { Icon, type IconName } from "./Icon";

export function Link(props: { to: string; class?: string; children: ComponentChildren; current?: boolean }) {
  return (
    <a
      href={props.to}
      class={props.class}
      aria-current={props.current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        go(props.to);
      }}
    >
      {props.children}
    </a>
  );
}

export function Empty({ icon, text, children }: { icon: IconName; text: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} size={26} />
      <p>{text}</p>
      {children}
    </div>
  );
}

export const Skeleton = ({ width = "100%", height = "14px" }: { width?: string; height?: string }) => (
  <span class="skeleton" style={{ display: "block", width, height }} aria-hidden="true" />
);

/** A figure coloured and signed by what it means. */
export const tone = (value: bigint): string => (value > 0n ? "up" : value < 0n ? "down" : "");

export function Sparkline({
  closes,
  width = 72,
  height = 24,
}: {
  closes: string[] | undefined;
  width?: number;
  height?: number;
}) {
  const values = (closes ?? []).map(Number).reverse();
  if (values.length < 2) return <svg width={width} height={height} aria-hidden="true" />;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const points = values.map(
    (value, at) =>
      `${((at / (values.length - 1)) * (width - 2) + 1).toFixed(1)},${(height - 3 - ((value - low) / span) * (height - 6)).toFixed(1)}`,
  );
  const rising = values[values.length - 1]! >= values[0]!;
  return (
    <svg width={width} height={height} aria-hidden="true">
      <polyline
        points={points.join(" ")}
        fill="none"
        stroke={`var(--${rising ? "up" : "down"})`}
        stroke-width="1.5"
        stroke-linejoin="round"
      />
    </svg>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [ComponentChildren, ComponentChildren, string?])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value, title], at) => (
        <div key={at} title={title}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Change({ before, after }: { before: ComponentChildren; after: ComponentChildren }) {
  return (
    <>
      <span class="faint">{before}</span>
      <span class="arrow" aria-hidden="true">
        →
      </span>
      <span class="visually-hidden"> becomes </span>
      {after}
    </>
  );
}
