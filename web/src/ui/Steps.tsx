// SPDX-License-Identifier: AGPL-3.0-only
import { Icon } from "./Icon";

export type StepState = "todo" | "now" | "done" | "failed";

/** What has to happen one after another, and where it stands. */
export function Steps({ steps }: { steps: readonly { text: string; state: StepState }[] }) {
  return (
    <ol class="steps" aria-live="polite">
      {steps.map(({ text, state }, at) => (
        <li key={text} class={state}>
          <span class="step" aria-hidden="true">
            {state === "now" ? (
              <span class="spinner" />
            ) : state === "done" ? (
              <Icon name="check" size={12} />
            ) : state === "failed" ? (
              <Icon name="close" size={12} />
            ) : (
              at + 1
            )}
          </span>
          <span>{text}</span>
          {state === "done" && <span class="visually-hidden"> done</span>}
        </li>
      ))}
    </ol>
  );
}
