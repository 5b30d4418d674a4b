// SPDX-License-Identifier: AGPL-3.0-only
import { computed } from "@preact/signals";
import { dismiss, toasts } from "../state/notices";
import { now } from "../state/venue";
import { Icon } from "./Icon";

/** Screen readers get the newest notice at most every two seconds: a burst of fills must not bury the page. */
const spoken = computed(() => {
  const slot = Math.floor(now.value / 2000);
  const last = toasts.peek().at(-1);
  return { slot, text: last ? `${last.title}. ${last.text}` : "" };
});

export function Toasts() {
  return (
    <>
      <div class="toasts">
        {toasts.value.map((toast) => (
          <div key={toast.id} class={`toast ${toast.tone}`}>
            <div class="break">
              <strong>{toast.title}</strong>
              {toast.text && <span>{toast.text}</span>}
            </div>
            <button
              type="button"
              class="icon-button small"
              aria-label={`Dismiss: ${toast.title}`}
              onClick={() => dismiss(toast.id)}
            >
              <Icon name="close" size={14} />
            </button>
          </div>
        ))}
      </div>
      <div class="visually-hidden" role="status" aria-live="polite">
        {spoken.value.text}
      </div>
    </>
  );
}
