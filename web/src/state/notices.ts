// SPDX-License-Identifier: AGPL-3.0-only
/** Toasts, and the list behind the bell. */

import { computed, signal } from "@preact/signals";
import { type Category, settings } from "./settings";

export interface Notice {
  id: number;
  at: number;
  category: Category;
  tone: "good" | "bad" | "plain";
  title: string;
  text: string;
}

const KEPT = 50;
const SHOWN_MS = 5_000;

let next = 1;

export const notices = signal<Notice[]>([]);
export const toasts = signal<Notice[]>([]);
const seenUpTo = signal(0);
export const unread = computed(() => notices.value.filter((notice) => notice.id > seenUpTo.value).length);

/** Failures are shown even when their category is muted: somebody waits for the answer. */
export function notify(category: Category, tone: Notice["tone"], title: string, text = ""): void {
  const notice = { id: next++, at: Date.now(), category, tone, title, text };
  notices.value = [notice, ...notices.value].slice(0, KEPT);
  if (settings.value.muted.includes(category) && tone !== "bad") return;
  toasts.value = [...toasts.value.slice(-2), notice];
  setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function markRead(): void {
  seenUpTo.value = next;
}
