// SPDX-License-Identifier: AGPL-3.0-only
import { Modal } from "../Modal";

export function Withdraw(_props: { market?: string }) {
  return <Modal title="Withdraw"><p>Soon.</p></Modal>;
}
