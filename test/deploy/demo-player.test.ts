import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ChangeLogWriter } from '../../collector/change-log/change-log.ts';
import { decodeChangeRecord } from '../../collector/change-record.ts';
import { createDemoPlayer } from '../../deploy/demo-player.ts';
import { silentLog } from '../helpers/silent-log.ts';

const FILE = fileURLToPath(new URL('../../deploy/demo/demo.ndjson.gz', import.meta.url));
/** The quarter of the recording that is still to come is a bit over five minutes. */
const AHEAD_MS = 315_000;

for (const speed of [1, 200]) {
  test(`at ${speed} times its pace nothing of the demo is in the future, and it catches up with the clock`, async () => {
    let ahead = 0;
    let lastMs = 0;
    let records = 0;
    let caughtUp: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      caughtUp = resolve;
    });
    const append: ChangeLogWriter['append'] = async (_key, values) => {
      for (const value of values) {
        const decoded = decodeChangeRecord(value);
        assert.ok(decoded.ok);
        records++;
        lastMs = Math.max(lastMs, decoded.record.t);
        if (decoded.record.t > Date.now()) ahead++;
      }
      if (Date.now() - lastMs < 2_000) caughtUp();
    };
    const player = createDemoPlayer({ file: FILE, speed, cluster: 'demo' }, { writer: { append } as ChangeLogWriter, log: silentLog });
    await player.start();
    const begun = records;
    const behindMs = Date.now() - lastMs;
    const wantMs = AHEAD_MS * (1 - 1 / speed);
    assert.ok(behindMs >= wantMs - 5_000 && behindMs < wantMs + 30_000, `${behindMs} ms behind at the start`);
    await over;
    await player.stop();
    assert.equal(ahead, 0);
    if (speed > 1) assert.ok(records > begun);
  });
}
