// SPDX-License-Identifier: AGPL-3.0-only
import { type ComponentChildren, Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";

const waiting: (() => void)[] = [];

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setTimeout(next);
}

/**
 * Shows its children once what is around them is on the screen. Of many, each comes in a task of its own: a slow phone
 * answers fingers between them.
 */
export function Later({ children }: { children: ComponentChildren }) {
  const [due, setDue] = useState(false);
  useEffect(() => {
    const show = () => setDue(true);
    if (waiting.push(show) === 1) setTimeout(next);
    return () => {
      const at = waiting.indexOf(show);
      if (at >= 0) waiting.splice(at, 1);
    };
  }, []);
  return due ? <Fragment>{children}</Fragment> : null;
}
