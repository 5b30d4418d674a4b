// SPDX-License-Identifier: AGPL-3.0-only
/** How much room there is. */

import { signal } from "@preact/signals";

const phone = matchMedia("(max-width: 760px)");

/** Whether the trade page shows one panel at a time; trade-sizes.css has the same width. */
export const narrow = signal(phone.matches);
phone.addEventListener("change", () => (narrow.value = phone.matches));
