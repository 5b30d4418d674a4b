// SPDX-License-Identifier: AGPL-3.0-only
// Sets the theme before the first paint.
(() => {
  const root = document.documentElement;
  try {
    const saved = JSON.parse(localStorage.getItem("ouro.settings") || "{}");
    let theme = saved.theme || "dark";
    if (theme === "system") theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    root.dataset.theme = theme;
    if (saved.palette) root.dataset.palette = saved.palette;
  } catch (_) {
    root.dataset.theme = "dark";
  }
})();
