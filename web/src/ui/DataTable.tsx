// SPDX-License-Identifier: AGPL-3.0-only
/** A table that is filtered, sorted, shortened to chosen columns (which are remembered) and saved as CSV. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { kept } from "../state/settings";
import { Empty, Skeleton } from "./bits";
import { csv, save } from "./csv";
import { Icon, type IconName } from "./Icon";

export interface Column<Row> {
  key: string;
  label: string;
  cell: (row: Row) => ComponentChildren;
  /** What is sorted by and written to files; columns without it are buttons. */
  value?: (row: Row) => bigint | number | string;
  text?: boolean;
  title?: string;
}

interface Props<Row> {
  name: string;
  rows: readonly Row[] | null;
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  empty: { icon: IconName; text: string; children?: ComponentChildren };
  error?: string | null;
  actions?: ComponentChildren;
  marketOf?: (row: Row) => string;
}

const PAGE = 50;
const hidden = kept<Record<string, string[]>>("ouro.columns", {});
const sorts = kept<Record<string, { by: string; up: boolean }>>("ouro.sorts", {});

export function DataTable<Row>({ name, rows, columns, rowKey, empty, error, actions, marketOf }: Props<Row>) {
  const [filter, setFilter] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const gone = hidden.value[name] ?? [];
  const shownColumns = columns.filter((column) => !gone.includes(column.key));
  const sort = sorts.value[name];
  const by = columns.find((column) => column.key === sort?.by)?.value;
  const wanted = filter.trim().toLowerCase();
  let shown = (rows ?? []).filter(
    (row) =>
      !wanted ||
      columns.some((column) =>
        String(column.value?.(row) ?? "")
          .toLowerCase()
          .includes(wanted),
      ) ||
      marketOf?.(row).toLowerCase().includes(wanted),
  );
  if (by && sort) {
    shown = [...shown].sort((a, b) => {
      const [left, right] = [by(a), by(b)];
      return (left < right ? -1 : left > right ? 1 : 0) * (sort.up ? 1 : -1);
    });
  }

  return (
    <div class="data-table">
      <div class="table-tools">
        {actions}
        <span class="grow" />
        <div class="table-filter">
          <Icon name="search" size={13} />
          <input
            type="search"
            aria-label={`Filter ${name}`}
            placeholder="Filter"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </div>
        <ColumnMenu name={name} columns={columns} gone={gone} />
        <button
          type="button"
          class="icon-button small"
          aria-label={`Save ${name} as CSV`}
          title="CSV"
          disabled={shown.length === 0}
          onClick={() => save(`ouro-${name}.csv`, csv(shown, columns))}
        >
          <Icon name="download" size={14} />
        </button>
      </div>
      {error && <p class="note bad">{error}</p>}
      {rows === null && !error ? (
        <div class="table-wait">
          {[1, 2, 3].map((row) => (
            <Skeleton key={row} height="20px" />
          ))}
        </div>
      ) : shown.length === 0 ? (
        <Empty icon={empty.icon} text={wanted ? "Nothing matches the filter." : empty.text}>
          {!wanted && empty.children}
        </Empty>
      ) : (
        <div class="scroll-x" tabIndex={0} role="region" aria-label={`Table of ${name}`}>
          <table class="data">
            <thead>
              <tr>
                {shownColumns.map((column) => (
                  <th
                    scope="col"
                    key={column.key}
                    title={column.title}
                    class={column.text ? "text" : ""}
                    aria-sort={sort?.by === column.key ? (sort.up ? "ascending" : "descending") : undefined}
                  >
                    {column.value ? (
                      <button type="button" onClick={() => sortBy(name, column.key)}>
                        {column.label}
                        {sort?.by === column.key ? (sort.up ? " ↑" : " ↓") : ""}
                      </button>
                    ) : (
                      <span class="visually-hidden">{column.label}</span>
                    )}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.slice(0, limit).map((row) => (
                <tr key={rowKey(row)}>
                  {shownColumns.map((column) => (
                    <td key={column.key} class={column.text ? "text" : "num"}>
                      {column.cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {shown.length > limit && (
            <button type="button" class="button small ghost more" onClick={() => setLimit(limit + PAGE)}>
              Show more ({shown.length - limit} left)
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function sortBy(name: string, key: string): void {
  const before = sorts.value[name];
  const next = before?.by !== key ? { by: key, up: false } : before.up ? null : { by: key, up: true };
  const { [name]: _, ...rest } = sorts.value;
  sorts.value = next ? { ...rest, [name]: next } : rest;
}

function ColumnMenu<Row>({ name, columns, gone }: { name: string; columns: readonly Column<Row>[]; gone: string[] }) {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => !anchor.current?.contains(event.target as Node) && setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [open]);
  const toggle = (key: string, on: boolean) =>
    (hidden.value = { ...hidden.value, [name]: on ? gone.filter((one) => one !== key) : [...gone, key] });
  return (
    <div class="menu-anchor" ref={anchor} onKeyDown={(event) => event.key === "Escape" && setOpen(false)}>
      <button
        type="button"
        class="icon-button small"
        aria-label={`Columns of ${name}`}
        aria-expanded={open}
        title="Columns"
        onClick={() => setOpen(!open)}
      >
        <Icon name="columns" size={14} />
      </button>
      {open && (
        <fieldset class="menu popover column-menu">
          <legend class="visually-hidden">Columns</legend>
          {columns
            .filter((column) => column.value)
            .map((column) => (
              <label class="check" key={column.key}>
                <input
                  type="checkbox"
                  checked={!gone.includes(column.key)}
                  onChange={(event) => toggle(column.key, event.currentTarget.checked)}
                />
                {column.label}
              </label>
            ))}
        </fieldset>
      )}
    </div>
  );
}
