// SPDX-License-Identifier: AGPL-3.0-only
/** REST on the page's own origin. Errors carry the exchange's stable code and its sentence. */

import { signal } from "@preact/signals";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: unknown = null,
  ) {
    super(message);
  }
}

/** When the exchange said that requests come too fast: until then (milliseconds since 1970). */
export const limitedUntil = signal(0);

interface Options {
  method?: string;
  body?: unknown;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function request<T>(path: string, options: Options = {}): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  let response: Response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, {
      method: options.method ?? "GET",
      headers: { ...(options.body === undefined ? {} : { "Content-Type": "application/json" }), ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The exchange does not answer. Check your connection and try again.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body as T;
  // The faucet's own limit is no matter of trading.
  if (response.status === 429 && (body as { errorCode?: string } | null)?.errorCode !== "faucet_limit") {
    const seconds = Number(response.headers.get("Retry-After") ?? 1);
    limitedUntil.value = Date.now() + seconds * 1000;
  }
  throw failure(response.status, body);
}

/** The error that an answer tells, also of one item of a batch. */
export function failure(status: number, body: unknown): ApiError {
  const told = body as { errors?: { msg?: string }[]; errorCode?: string } | null;
  const message = told?.errors?.map((problem) => problem.msg).join("; ") || `The exchange answered ${status}.`;
  const sentence = message.slice(0, 1).toUpperCase() + message.slice(1);
  return new ApiError(status, told?.errorCode ?? `http_${status}`, sentence, body);
}
