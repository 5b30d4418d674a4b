// SPDX-License-Identifier: AGPL-3.0-only
/** Inputs for amounts. Arrow keys step by `step`, with Shift by ten of them; values stay text until they are used. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { fixed, parse, plain } from "../money/decimal";

export interface AmountProps {
  label: string;
  value: string;
  onValue: (text: string) => void;
  decimals: number;
  /** In units of 10^-decimals. */
  step: bigint;
  /** Where stepping begins while the field is empty. */
  from?: bigint | undefined;
  digits?: number;
  suffix?: ComponentChildren;
  problem?: string | null | undefined;
  hint?: ComponentChildren;
  placeholder?: string;
  inline?: boolean;
  id?: string;
  autofocus?: boolean;
}

export function Amount(props: AmountProps) {
  const made = useId();
  const id = props.id ?? made;
  const { value, decimals, step, onValue } = props;

  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const by = (event.shiftKey ? step * 10n : step) * (event.key === "ArrowUp" ? 1n : -1n);
    const start = parse(value, decimals);
    const next = start === null ? (props.from ?? 0n) : start + by;
    const shown = next < 0n ? 0n : next;
    onValue(props.digits === undefined ? plain(shown, decimals) : fixed(shown, decimals, props.digits));
  }

  const box = (
    <div class="box">
      {props.inline && (
        <label class="label-inside" for={id}>
          {props.label}
        </label>
      )}
      <input
        id={id}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        spellcheck={false}
        value={value}
        placeholder={props.placeholder ?? "0"}
        autofocus={props.autofocus}
        aria-invalid={props.problem ? "true" : undefined}
        aria-describedby={`${id}-told`}
        onInput={(event) => onValue(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {props.suffix !== undefined && <span class="suffix">{props.suffix}</span>}
    </div>
  );
  return (
    <div class={`field${props.inline ? " inline" : ""}${props.problem ? " invalid" : ""}`}>
      {!props.inline && (
        <label class="label" for={id}>
          {props.label}
        </label>
      )}
      {box}
      <span id={`${id}-told`} class={props.problem ? "problem" : "hint"} hidden={!props.problem && !props.hint}>
        {props.problem ?? props.hint}
      </span>
    </div>
  );
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onValue: (value: T) => void;
  hideLabel?: boolean;
}

export function Select<T extends string>({ label, value, options, onValue, hideLabel }: SelectProps<T>) {
  const id = useId();
  return (
    <div class="field">
      <label class={hideLabel ? "visually-hidden" : "label"} for={id}>
        {label}
      </label>
      <div class="box select">
        <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value as T)}>
          {options.map(([key, text]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

export function Check(props: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (on: boolean) => void;
  disabled?: boolean;
  title?: string;
}) {
  return (
    <label class="check" title={props.title}>
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled ?? false}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      {props.label}
    </label>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  marks?: readonly number[];
  text: (value: number) => string;
  onValue: (value: number) => void;
  disabled?: boolean;
}

export function Slider(props: SliderProps) {
  const { value, min, max, onValue } = props;
  const at = max > min ? ((value - min) / (max - min)) * 100 : 0;
  function onKeyDown(event: KeyboardEvent) {
    const up = event.key === "ArrowUp" || event.key === "ArrowRight";
    if (!event.shiftKey || (!up && event.key !== "ArrowDown" && event.key !== "ArrowLeft")) return;
    event.preventDefault();
    const by = (props.step ?? 1) * 10 * (up ? 1 : -1);
    onValue(Math.min(max, Math.max(min, value + by)));
  }
  return (
    <div class="slider">
      <input
        type="range"
        min={min}
        max={max}
        step={props.step ?? 1}
        value={value}
        aria-label={props.label}
        aria-valuetext={props.text(value)}
        disabled={props.disabled ?? false}
        style={{ "--at": `${at}%` }}
        onInput={(event) => onValue(Number(event.currentTarget.value))}
        onKeyDown={onKeyDown}
      />
      {props.marks && (
        <div class="marks">
          {props.marks.map((mark) => (
            <button
              type="button"
              key={mark}
              tabIndex={-1}
              aria-label={`${props.label}: ${props.text(mark)}`}
              disabled={props.disabled}
              onClick={() => onValue(mark)}
            >
              {props.text(mark)}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
