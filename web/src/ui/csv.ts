// SPDX-License-Identifier: AGPL-3.0-only
import type { Column } from "./DataTable";

/** RFC 4180; a cell that a spreadsheet would take for a formula is put in quotes with an apostrophe before it. */
export function csv<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const told = columns.filter((column) => column.value);
  const line = (cells: string[]) => cells.map(cell).join(",");
  return `${[
    line(told.map((column) => column.label)),
    ...rows.map((row) => line(told.map((column) => String(column.value!(row))))),
  ].join("\r\n")}\r\n`;
}

function cell(text: string): string {
  const safe = /^[=+@\t\r\n＝＋－＠]/.test(text) || (/^-/.test(text) && !/^-?[\d.]+$/.test(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
