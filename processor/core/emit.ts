/** What one step hands out: at most one row per table and key, the last one made (design D3). */
import type { EmittedRow, RowsByTable, TableName } from '../../sql/rows.ts';

export interface Emitter {
  emit<T extends TableName>(table: T, key: string, row: RowsByTable[T]): void;
  /** The rows so far, in the order in which their keys first came up. */
  rows(version: bigint): EmittedRow[];
}

interface Entry {
  readonly table: TableName;
  readonly key: string;
  row: RowsByTable[TableName];
  version: bigint;
}

/** Up to this many rows are looked through; most steps make one or two. */
const FEW_ROWS = 8;

/** An emitter for one step. */
export function createEmitter(): Emitter {
  const rows: Entry[] = [];
  let byKey: Map<string, Entry> | undefined;
  return {
    emit(table, key, row) {
      if (rows.length === FEW_ROWS) byKey ??= new Map(rows.map((entry) => [keyOf(entry.table, entry.key), entry]));
      const known = byKey === undefined ? rows.find((entry) => entry.table === table && entry.key === key) : byKey.get(keyOf(table, key));
      if (known !== undefined) {
        known.row = row;
        return;
      }
      const entry = { table, key, row, version: 0n };
      rows.push(entry);
      byKey?.set(keyOf(table, key), entry);
    },
    rows(version) {
      for (const entry of rows) entry.version = version;
      return rows as EmittedRow[];
    },
  };
}

const keyOf = (table: TableName, key: string): string => `${table}\n${key}`;
