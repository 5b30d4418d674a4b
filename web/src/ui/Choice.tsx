// SPDX-License-Identifier: AGPL-3.0-only
/** Tabs and segmented choices, moved through with arrow keys. */

import type { ComponentChildren } from "preact";

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, ComponentChildren, string?])[];
  onValue: (value: T) => void;
  class?: string;
}

function onArrows(event: KeyboardEvent) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button")];
  const next = all[(all.indexOf(document.activeElement as HTMLElement) + by + all.length) % all.length];
  next?.focus();
  next?.click();
}

/** One of a few, as radio buttons. */
export function Segmented<T extends string>({ label, value, options, onValue, class: more }: ChoiceProps<T>) {
  return (
    <div class={`segmented ${more ?? ""}`} role="radiogroup" aria-label={label} onKeyDown={onArrows}>
      {options.map(([key, text, kind]) => (
        <button
          type="button"
          key={key}
          role="radio"
          class={kind}
          aria-checked={key === value}
          tabIndex={key === value ? 0 : -1}
          onClick={() => onValue(key)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

interface TabsProps<T extends string> extends ChoiceProps<T> {
  /** Of the panel that the tabs change. */
  panel: string;
  /** Where each tab has a panel of its own: their ids. */
  controls?: Record<T, string>;
}

export function Tabs<T extends string>({ label, value, options, onValue, panel, controls, class: more }: TabsProps<T>) {
  return (
    <div class={`tabs ${more ?? ""}`} role="tablist" aria-label={label} onKeyDown={onArrows}>
      {options.map(([key, text]) => (
        <button
          type="button"
          key={key}
          role="tab"
          id={`${panel}-${key}`}
          aria-controls={controls?.[key] ?? panel}
          aria-selected={key === value}
          tabIndex={key === value ? 0 : -1}
          onClick={() => onValue(key)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
