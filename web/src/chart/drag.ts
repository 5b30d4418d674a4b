// SPDX-License-Identifier: AGPL-3.0-only
/** Dragging a line of the chart up or down. */

export interface Lines {
  /** The line that is near this height, if it may be moved. */
  at(y: number): string | null;
  move(key: string, y: number): void;
  /** Let go: `moved` is false for a mere click. */
  drop(key: string, moved: boolean): void;
}

const CLICK_PX = 3;

/** Returns what stops it. */
export function dragLines(box: HTMLElement, lines: Lines): () => void {
  let held: { key: string; from: number; pointer: number } | null = null;
  const height = (event: PointerEvent) => event.clientY - box.getBoundingClientRect().top;

  function onDown(event: PointerEvent) {
    const key = event.button === 0 ? lines.at(height(event)) : null;
    if (key === null) return;
    // Else the chart would scroll along.
    event.preventDefault();
    event.stopPropagation();
    held = { key, from: event.clientY, pointer: event.pointerId };
    box.setPointerCapture(event.pointerId);
  }
  function onMove(event: PointerEvent) {
    if (held) lines.move(held.key, height(event));
    else box.classList.toggle("over-line", event.pointerType === "mouse" && lines.at(height(event)) !== null);
  }
  function onUp(event: PointerEvent) {
    if (!held || held.pointer !== event.pointerId) return;
    const moved = event.type === "pointerup" && Math.abs(event.clientY - held.from) > CLICK_PX;
    lines.drop(held.key, moved);
    held = null;
  }

  const events = [
    ["pointerdown", onDown],
    ["pointermove", onMove],
    ["pointerup", onUp],
    ["pointercancel", onUp],
  ] as const;
  for (const [name, heard] of events) box.addEventListener(name, heard, true);
  return () => {
    for (const [name, heard] of events) box.removeEventListener(name, heard, true);
  };
}
