// SPDX-License-Identifier: AGPL-3.0-only
import { Modal } from "../Modal";

export function ExitOrders(_props: { market?: string }) {
  return <Modal title="ExitOrders"><p>Soon.</p></Modal>;
}
