// SPDX-License-Identifier: AGPL-3.0-only
// Notes which change of the busy book the page shows, and when that was on the screen (Unix time in ms).
(() => {
  const seen = (window.__seen = []);
  const blocked = (window.__blocked = []);
  const shifts = (window.__shifts = []);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) blocked.push([entry.startTime, entry.duration]);
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shifts.push([entry.startTime, entry.value]);
  }).observe({ type: "layout-shift", buffered: true });

  let last = 0;
  const channel = new MessageChannel();
  const waiting = [];
  // A message that is posted in a frame arrives after that frame is painted.
  channel.port1.onmessage = () => {
    const at = performance.timeOrigin + performance.now();
    for (const number of waiting.splice(0)) seen.push([number, at]);
  };
  const look = () => {
    const rows = [...document.querySelectorAll('[role="option"]')];
    const bid = rows.find((row) => row.textContent.startsWith("bid"));
    const size = /size ([\d.,]+)total/.exec(bid?.textContent ?? "")?.[1];
    if (!size) return;
    const number = Math.round(Number(size.replaceAll(",", "")) * window.__lotsPerUnit) - 1;
    if (number === last) return;
    last = number;
    waiting.push(number);
    requestAnimationFrame(() => channel.port2.postMessage(0));
  };
  addEventListener("DOMContentLoaded", () =>
    new MutationObserver(look).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
    }),
  );
})();
