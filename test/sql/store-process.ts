/** A process of its own for client.test.ts: opens the store in argv[2] and does what argv[3] says, one line of JSON an answer. */
import { openClickHouse } from '../../sql/client.ts';
import { storeConfig } from '../../sql/config.ts';
import { encodeRow } from '../../sql/encode-row.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import { migrate } from '../../sql/migrate.ts';
import { SAMPLE_ROWS } from '../helpers/sample-rows.ts';

const [, , directory, mode] = process.argv;
const say = (answer: object): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
const config = storeConfig.parse({ directory });

try {
  const { client, close } = await openClickHouse(config);
  if (mode === 'insert-until-killed') {
    await migrate(client, { database: config.database, retention: config.retention });
    for (let seq = 0; ; seq++) {
      await insertRows(client, 'incident_timeline', [encodeRow('incident_timeline', { ...SAMPLE_ROWS.incident_timeline, seq }, 1n)]);
      say({ stored: seq });
    }
  }
  if (mode === 'hold') {
    process.stdin.on('data', async () => {
      const result = await client.query({ query: 'SELECT 1 AS one', format: 'JSONEachRow' });
      say({ rows: await result.json() });
      await close();
      process.exit(0);
    });
    say({ open: true });
  } else {
    await close();
    say({ open: true });
  }
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  say({ code, message });
  process.exitCode = 1;
}
