// SPDX-License-Identifier: AGPL-3.0-only
/** What a person chose, kept in this browser. */

import { effect, signal } from "@preact/signals";

export type Theme = "dark" | "light" | "system";
export type Palette = "standard" | "blue-orange" | "teal-magenta";
export type Category = "order" | "fill" | "liquidation" | "transfer" | "price";

export interface Settings {
  theme: Theme;
  palette: Palette;
  confirmOrders: boolean;
  /** Of a market order, against the best price of the book. */
  slippagePpm: number;
  oneClick: boolean;
  bookSide: "right" | "left";
  muted: Category[];
  sizeUnit: "base" | "usd";
  leverage: number;
}

export const DEFAULTS: Settings = {
  theme: "dark",
  palette: "standard",
  confirmOrders: false,
  slippagePpm: 10_000,
  oneClick: false,
  bookSide: "right",
  muted: [],
  sizeUnit: "base",
  leverage: 10,
};

/** A signal whose value outlives the page. What cannot be read is forgotten. */
export function kept<T>(place: string, initial: T) {
  let start = initial;
  try {
    const saved = localStorage.getItem(place);
    if (saved !== null) {
      const value = JSON.parse(saved) as T;
      start = initial && typeof initial === "object" && !Array.isArray(initial) ? { ...initial, ...value } : value;
    }
  } catch {
    // A browser that keeps nothing still trades.
  }
  const state = signal<T>(start);
  effect(() => {
    try {
      localStorage.setItem(place, JSON.stringify(state.value));
    } catch {
      // As above.
    }
  });
  return state;
}

export const settings = kept<Settings>("ouro.settings", DEFAULTS);
export const favourites = kept<string[]>("ouro.favourites", []);

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
}

const light = matchMedia("(prefers-color-scheme: light)");
const systemLight = signal(light.matches);
light.addEventListener("change", () => (systemLight.value = light.matches));

/** The theme that is shown. */
export const shownTheme = signal<"dark" | "light">("dark");

effect(() => {
  const { theme, palette } = settings.value;
  const shown = theme === "system" ? (systemLight.value ? "light" : "dark") : theme;
  document.documentElement.dataset.theme = shown;
  document.documentElement.dataset.palette = palette;
  document
    .querySelector('meta[name="theme-color"]')
    ?.setAttribute("content", shown === "light" ? "#f6f7f9" : "#0b0e11");
  shownTheme.value = shown;
});
