// SPDX-License-Identifier: AGPL-3.0-only
/** A list of the account that is read when it is shown, and again when something happened. */

import { useEffect, useState } from "preact/hooks";
import type { Who } from "../api/reads";
import { happened } from "./account";
import { number } from "./subaccounts";
import { address } from "./wallet";

const WAIT_MS = 800;

export interface History<Row> {
  rows: Row[] | null;
  error: string | null;
}

export function useHistory<Row>(load: (who: Who) => Promise<Row[]>): History<Row> {
  const [state, setState] = useState<History<Row>>({ rows: null, error: null });
  const whose = address.value;
  const which = number.value;
  const event = happened.value;
  useEffect(() => setState({ rows: null, error: null }), [whose, which]);
  useEffect(() => {
    if (!whose) return;
    let left = false;
    const wait = setTimeout(
      () => {
        load({ address: whose, number: which }).then(
          (rows) => !left && setState({ rows, error: null }),
          (error: Error & { status?: number }) =>
            !left &&
            setState((before) =>
              error.status === 404 ? { rows: [], error: null } : { rows: before.rows, error: error.message },
            ),
        );
      },
      state.rows ? WAIT_MS : 0,
    );
    return () => {
      left = true;
      clearTimeout(wait);
    };
  }, [whose, which, event]);
  return state;
}
