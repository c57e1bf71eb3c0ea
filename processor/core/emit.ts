/** What one step hands out: at most one row per table and key, the last one made (design D3). */
import type { EmittedRow, RowsByTable, TableName } from '../../sql/rows.ts';

export interface Emitter {
  emit<T extends TableName>(table: T, key: string, row: RowsByTable[T]): void;
  /** The rows so far, in the order in which their keys first came up. */
  rows(version: bigint): EmittedRow[];
}

/** An emitter for one step. */
export function createEmitter(): Emitter {
  const rows = new Map<string, { readonly table: TableName; readonly key: string; readonly row: RowsByTable[TableName]; version: bigint }>();
  return {
    emit(table, key, row) {
      rows.set(`${table}\n${key}`, { table, key, row, version: 0n });
    },
    rows(version) {
      const emitted = [...rows.values()];
      for (const row of emitted) row.version = version;
      return emitted as EmittedRow[];
    },
  };
}
