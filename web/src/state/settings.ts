// SPDX-License-Identifier: AGPL-3.0-only
/** What a person chose, kept in this browser. */

import { effect, signal } from "@preact/signals";
import { DEFAULTS, restored, type Settings, sound } from "./preferences";

export { type Category, DEFAULTS, type Palette, type Settings, type Theme } from "./preferences";

/** A signal whose value outlives the page. What cannot be read is forgotten. */
export function kept<T>(place: string, initial: T, sound: (value: T) => T = (value) => value) {
  let start = initial;
  try {
    start = sound(restored(initial, localStorage.getItem(place)));
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

const SETTINGS = "ouro.settings";

export const settings = kept<Settings>(SETTINGS, DEFAULTS, sound);

// Else one-click trading that another page turned off would be on again with the next change that is made here.
addEventListener("storage", (event) => {
  if (event.key === SETTINGS) settings.value = sound(restored(DEFAULTS, event.newValue));
});

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
