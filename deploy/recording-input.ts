/** Recordings as input of commands: their change records, as a collector would have sent them. */
import { createReadStream, ReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { ChangeRecord } from '../collector/change-record.ts';
import { RecordingError } from '../collector/errors.ts';
import { createRecordingEncoder, readRecording } from '../collector/recording.ts';
import { CommandError, EXIT } from './errors.ts';
import { createProgress } from './output.ts';

/** What the cluster of a recording is called: the name of its file. */
export function recordingName(file: string): string {
  const name = basename(file).replace(/(\.ndjson)?(\.gz)?$/, '');
  return name === '' || name === '-' ? 'recording' : name;
}

/**
 * The change records of a recording (`-`: standard input), with `rules` right after the run began, as a collector sends them. Throws
 * CommandError (exit 3) for what cannot be read.
 */
export async function* readRecords(file: string, cluster: string, rules: Readonly<Record<string, unknown>>): AsyncGenerator<ChangeRecord, void, undefined> {
  const encoder = createRecordingEncoder({ cluster: { name: cluster } });
  const progress = createProgress(file === '-' ? 0 : sizeOf(file), 'bytes');
  const source = file === '-' ? process.stdin : createReadStream(file);
  const withRules = (record: ChangeRecord): ChangeRecord[] => {
    const { v, run, t } = record;
    return record.type === 'RUN_BEGIN' ? [record, { v, cluster: record.cluster, run, t, type: 'RULES', rules }] : [record];
  };
  try {
    for await (const line of readRecording(source)) {
      yield* encoder.push(line).flatMap(withRules);
      if (source instanceof ReadStream) progress.update(source.bytesRead);
    }
    yield* encoder.end().flatMap(withRules);
  } catch (error) {
    if (error instanceof RecordingError) throw new CommandError(EXIT.badInput, `${file}: ${error.message}`, { cause: error });
    throw new CommandError(EXIT.badInput, `read ${file} failed: ${(error as Error).message}`, { cause: error });
  } finally {
    progress.stop();
  }
}

/** Likewise, up to the end of the recording but not of the cluster: that the recorder stopped is no blindness. */
export async function* readUnended(...about: Parameters<typeof readRecords>): AsyncGenerator<ChangeRecord, void, undefined> {
  for await (const record of readRecords(...about)) if (record.type !== 'SESSION_END' || record.reason !== 'stopped') yield record;
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new CommandError(EXIT.badInput, `read ${file} failed: ${(error as Error).message}`, { cause: error });
  }
}
