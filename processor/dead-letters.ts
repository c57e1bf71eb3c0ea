/** Where a dead letter of the core comes from, and whether one can be given to the change log once more. */
import type { LogRecord } from '../collector/change-log/change-log.ts';
import { decodeChangeRecord } from '../collector/change-record.ts';
import type { DeadLetterRow, EmittedRow } from '../sql/rows.ts';

/** What the log takes, or why it gets nothing. */
export type Revival = { readonly ok: true; readonly key: string; readonly value: Uint8Array } | { readonly ok: false; readonly reason: string };

/**
 * Judges a dead letter by the rules of this release: a record that an older one could not read may be one now. A record comes back at
 * the end of the log, under the key of its own cluster; what was listed again since then is taken for the repetition that it is.
 */
export function reviveDeadLetter({ code, payload }: { readonly code: string; readonly payload: string }): Revival {
  if (code === 'cluster_identity') {
    return { ok: false, reason: 'its cluster was refused, and the record not kept: after `podtrail cluster replace` the next full list states all again' };
  }
  if (payload === '') return { ok: false, reason: 'nothing of it was kept' };
  const value = Buffer.from(payload);
  const decoded = decodeChangeRecord(value);
  if (decoded.ok) return { ok: true, key: decoded.record.cluster.uid, value };
  const whole = decoded.code === 'not_json' ? 'it is no whole record, or was longer than what is kept of one' : 'this release cannot read it either';
  return { ok: false, reason: `${whole}: ${decoded.reason.split('\n')[0]}` };
}

/** Characters kept of a record with its dead letter. */
const MAX_PAYLOAD = 64 * 1024;

/** The dead letter of a whole record. What is refused for its identity is not shown: it may be many records, and there is nothing wrong with them. */
export function letterOf({ offset, timeMs, value }: LogRecord, why: Pick<DeadLetterRow, 'log' | 'partition' | 'cluster' | 'code' | 'reason'>): DeadLetterRow {
  const payload = why.code === 'cluster_identity' ? '' : Buffer.from(value).toString('utf8').slice(0, MAX_PAYLOAD);
  return { ...why, offset, part: 'record', timeMs, payload };
}

/** Dead letters of the core, which knows no positions, get that of its record; what they say of their origin goes into `part`. */
export function placed(rows: readonly EmittedRow[], { log, partition }: Pick<DeadLetterRow, 'log' | 'partition'>, offset: bigint): readonly EmittedRow[] {
  if (rows.every(({ table }) => table !== 'dead_letters')) return rows;
  return rows.map((emitted) => {
    if (emitted.table !== 'dead_letters') return emitted;
    const { row } = emitted;
    return { ...emitted, row: { ...row, log, partition, offset, part: row.log === row.part ? row.part : `${row.log} ${row.part}` } };
  });
}
