// SPDX-License-Identifier: AGPL-3.0-only
/** A dialog: the browser's own, which keeps the focus inside and closes with Escape. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { dialog } from "../state/view";
import { Icon } from "./Icon";

interface ModalProps {
  title: string;
  children: ComponentChildren;
  wide?: boolean;
  onClose?: () => void;
  class?: string;
}

export const closeDialog = (): void => {
  dialog.value = null;
};

export function Modal({ title, children, wide, onClose = closeDialog, class: more }: ModalProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    box.current?.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  return (
    <dialog
      ref={box}
      class={`modal ${wide ? "wide" : ""} ${more ?? ""}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="content">{children}</div>
    </dialog>
  );
}
