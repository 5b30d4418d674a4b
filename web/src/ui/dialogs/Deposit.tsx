// SPDX-License-Identifier: AGPL-3.0-only
import { Modal } from "../Modal";

export function Deposit(_props: { market?: string }) {
  return <Modal title="Deposit"><p>Soon.</p></Modal>;
}
