// SPDX-License-Identifier: AGPL-3.0-only
/** Runs `work` once per frame at most, and not more often than every `spacing` milliseconds: the eye sees no more. */
export function conflated(work: () => void, spacing = 50): () => void {
  let waiting = false;
  let last = 0;
  const run = () => {
    waiting = false;
    last = performance.now();
    work();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    // A hidden page gets no frames, but its figures must not grow old.
    if (document.hidden) {
      setTimeout(run, 500);
      return;
    }
    const rest = spacing - (performance.now() - last);
    if (rest > 0) setTimeout(() => requestAnimationFrame(run), rest);
    else requestAnimationFrame(run);
  };
}
