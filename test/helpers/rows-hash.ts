/** Prints the sha256 of all rows of recordings, one after another: run under different locales and time zones it must not change. */
import { createHash } from 'node:crypto';
import { createClusterState } from '../../processor/core/state.ts';
import { step } from '../../processor/core/step.ts';
import { recordsOf } from './goldens.ts';

const hash = createHash('sha256');
for (const path of process.argv.slice(2)) {
  const records = await recordsOf(path);
  const first = records[0];
  if (first === undefined) throw new Error(`${path} holds no record`);
  const state = createClusterState(first.cluster, 1);
  for (const record of records) {
    for (const row of step(state, record)) hash.update(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
  }
}
process.stdout.write(hash.digest('hex'));
