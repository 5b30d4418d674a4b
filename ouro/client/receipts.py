# SPDX-License-Identifier: Apache-2.0
"""Keeps the receipts that answers to writes carry: one JSON object per line, checked before it is written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ouro import receipts
from ouro.client.config import ClientConfig
from ouro.receipts import Receipt, ReceiptError


class ReceiptWarning(UserWarning):
    """The exchange did what was asked and gave a receipt that proves nothing."""


class ReceiptFile:
    """Appends to a file that `ouro audit --receipts` reads. Several clients and processes may share one."""

    def __init__(self, path: Path | str) -> None:
        """Raises OSError when the file cannot be written."""
        self._path = Path(path)
        os.close(self._open())

    def keep(self, content: bytes, config: ClientConfig | None) -> None:
        """Takes the receipts out of an answer. One that is not sound, or cannot be written, is not kept: a
        `ReceiptWarning` says why, since what was asked has been done all the same.
        """
        try:
            answer = msgspec.json.decode(content)
        except msgspec.DecodeError:
            return
        lines: list[bytes] = []
        for shown in _found(answer):
            try:
                receipt = receipts.from_json(shown)
                if config is not None:
                    receipts.verify(receipt, config.receipt_signer, config.order_domain())
            except ReceiptError as error:
                warnings.warn(f"a receipt is not kept: {error}", ReceiptWarning, stacklevel=4)
            else:
                lines.append(receipts.encode_line(receipt))
        try:
            self._append(b"".join(lines))
        except OSError as error:
            warnings.warn(f"receipts are not kept: {error}", ReceiptWarning, stacklevel=4)

    def read(self) -> list[Receipt]:
        """Everything kept. Raises ReceiptError for a line that is damaged."""
        return list(read_receipts(self._path))

    def _append(self, lines: bytes) -> None:
        if lines:
            # One write: lines of several processes do not mix.
            fd = self._open()
            try:
                os.write(fd, lines)
            finally:
                os.close(fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def read_receipts(path: Path | str) -> Iterator[Receipt]:
    """The receipts of a file. Raises OSError, and ReceiptError naming the line that is damaged."""
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield receipts.decode_line(line)
                except ReceiptError as error:
                    raise ReceiptError(f"{path}, line {number}: {error}") from None


def _found(answer: Any) -> Iterator[Mapping[str, Any]]:
    """The receipts of an answer, or of the items of a batch's."""
    if not isinstance(answer, dict):
        return
    bodies: list[Any] = [answer]
    results = answer.get("results")
    if isinstance(results, list):
        bodies += [item.get("body") for item in results if isinstance(item, dict)]
    for body in bodies:
        if isinstance(body, dict) and isinstance(body.get("receipt"), dict):
            yield body["receipt"]
