// SPDX-License-Identifier: AGPL-3.0-only
import type { Dialog } from "../state/view";
import { Facts } from "./bits";
import { closeDialog, Modal } from "./Modal";

type Props = Extract<Dialog, { kind: "confirm" }>;

export function Confirm({ title, lines, action, run }: Props) {
  return (
    <Modal title={title}>
      <Facts rows={lines} />
      <div class="actions">
        <button type="button" class="button line" onClick={closeDialog}>
          Back
        </button>
        <button
          type="button"
          class="button primary"
          autofocus
          onClick={() => {
            closeDialog();
            run();
          }}
        >
          {action}
        </button>
      </div>
    </Modal>
  );
}
