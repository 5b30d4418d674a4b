// SPDX-License-Identifier: AGPL-3.0-only
const PATHS = {
  star: "M8 1.8l1.9 3.9 4.3.6-3.1 3 .7 4.3L8 11.6l-3.8 2 .7-4.3-3.1-3 4.3-.6z",
  bell: "M8 2a3.6 3.6 0 0 0-3.6 3.6c0 3.2-1.4 4.4-1.4 4.4h10s-1.4-1.2-1.4-4.4A3.6 3.6 0 0 0 8 2zM6.7 12.6a1.4 1.4 0 0 0 2.6 0",
  gear: "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8 1.8v1.6M8 12.6v1.6M14.2 8h-1.6M3.4 8H1.8M12.4 3.6l-1.1 1.1M4.7 11.3l-1.1 1.1M12.4 12.4l-1.1-1.1M4.7 4.7L3.6 3.6",
  close: "M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4",
  down: "M4 6.2l4 4 4-4",
  search: "M7.1 11.9a4.8 4.8 0 1 0 0-9.6 4.8 4.8 0 0 0 0 9.6zM10.6 10.6l3.2 3.2",
  wallet:
    "M2.2 4.6h10.4a1.2 1.2 0 0 1 1.2 1.2v6a1.2 1.2 0 0 1-1.2 1.2H3.4a1.2 1.2 0 0 1-1.2-1.2zM2.2 4.6l8-2v2M11 8.8h.01",
  chart: "M2.4 13.4V2.6M2.4 13.4h11.2M5.4 10.4V7M8.4 10.4V4.4M11.4 10.4V6",
  swap: "M3 5.6h9.4M9.8 3l2.6 2.6-2.6 2.6M13 10.8H3.6M6.2 13.4l-2.6-2.6 2.6-2.6",
  pie: "M8 2a6 6 0 1 0 6 6H8z",
  key: "M9.4 8.2a3.3 3.3 0 1 0-1.6-1.6L2.4 12v2h2.2v-1.6h1.6v-1.6h1.4zM10.9 5.1h.01",
  help: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.4 6.3c.2-.9.8-1.3 1.6-1.3.9 0 1.7.6 1.7 1.5 0 1.2-1.7 1.4-1.7 2.5M8 11.2h.01",
  copy: "M5.6 5.6h7.2v7.2H5.6zM3.2 10.4V3.2h7.2",
  check: "M3.2 8.6l3 3 6.6-7.2",
  download: "M8 2.4v7.6M5 7.2l3 3 3-3M2.8 13.4h10.4",
  more: "M3.6 8h.01M8 8h.01M12.4 8h.01",
  bolt: "M8.8 1.8L3.4 9h3.8l-.6 5.2L12.4 7H8.4z",
  warn: "M8 2.4l6.2 11H1.8zM8 6.6v3M8 11.6h.01",
  columns: "M2.4 3h11.2v10H2.4zM6.2 3v10M9.8 3v10",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, filled }: { name: IconName; size?: number; filled?: boolean }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill={filled ? "currentColor" : "none"}
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg
      width="26"
      height="26"
      viewBox="0 0 64 64"
      fill="none"
      stroke="var(--accent)"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d="M46.6 21.5A18 18 0 1 0 50 32" stroke-width="7" />
      <path d="M38.5 20.6l9.3 2.6 1.4-9.4" stroke-width="5.5" />
      <circle cx="32" cy="32" r="5" fill="var(--gold)" stroke="none" />
    </svg>
  );
}
