// SPDX-License-Identifier: AGPL-3.0-only
import { Modal } from "../Modal";

export function ClosePosition(_props: { market?: string }) {
  return <Modal title="ClosePosition"><p>Soon.</p></Modal>;
}
