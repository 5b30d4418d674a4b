// SPDX-License-Identifier: AGPL-3.0-only
import { Modal } from "../Modal";

export function Palette(_props: { market?: string }) {
  return <Modal title="Palette"><p>Soon.</p></Modal>;
}
