// SPDX-License-Identifier: AGPL-3.0-only
import { signal } from "@preact/signals";

export const path = signal(location.pathname);

export function go(to: string, replace = false): void {
  if (to !== location.pathname) history[replace ? "replaceState" : "pushState"](null, "", to);
  path.value = to;
  scrollTo(0, 0);
}

addEventListener("popstate", () => (path.value = location.pathname));
