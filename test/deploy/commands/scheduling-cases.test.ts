/** `podtrail precheck --scheduling-cases` over files, as the command reads them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { answerCases } from '../../../deploy/commands/scheduling-cases.ts';
import type { CommandError } from '../../../deploy/errors.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const RECORDED = fileURLToPath(new URL('../../recordings/scheduling/decisions.ndjson.gz', import.meta.url));

async function answers(file: string): Promise<{ id: string; scheduled: number; rejected: boolean; reasons: Record<string, number> }[]> {
  const lines: string[] = [];
  await answerCases(file, (line) => void lines.push(line));
  return lines.map((line) => JSON.parse(line));
}

test('answers every case of a compressed file, in order, as kube-scheduler decided', async () => {
  const cases = gunzipSync(readFileSync(RECORDED))
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const answered = await answers(RECORDED);
  assert.deepEqual(
    answered.map(({ id, scheduled }) => ({ id, scheduled })),
    cases.map(({ id, result }) => ({ id, scheduled: result.scheduled })),
  );
  assert.deepEqual(Object.keys(answered[0]!), ['id', 'scheduled', 'rejected', 'reasons']);
});

test('reads plain files, blank lines and a last line without its newline', async () => {
  const [first, second] = gunzipSync(readFileSync(RECORDED)).toString('utf8').split('\n');
  const folder = tempFolder().path;
  const file = join(folder, 'cases.ndjson');
  writeFileSync(file, `${first}\n\n${second}`);
  assert.equal((await answers(file)).length, 2);
});

for (const [name, content, message] of [
  ['not JSON', '{"id":\n', /line 3 is no scheduling case/],
  ['not a case', '{"id":"a"}\n', /line 3 is no scheduling case: workload: is not an object/],
] as const) {
  test(`answers what comes before a line that is ${name}, and names the line`, async () => {
    const [first, second] = gunzipSync(readFileSync(RECORDED)).toString('utf8').split('\n');
    const folder = tempFolder().path;
    const file = join(folder, 'cases.ndjson.gz');
    writeFileSync(file, gzipSync(`${first}\n${second}\n${content}`));
    const lines: string[] = [];
    await assert.rejects(
      answerCases(file, (line) => void lines.push(line)),
      (error: CommandError) => error.exitCode === 3 && message.test(error.message),
    );
    assert.equal(lines.length, 2);
  });
}

test('refuses a file that is not there, and one that is not gzip', async () => {
  const folder = tempFolder().path;
  const file = join(folder, 'cases.ndjson.gz');
  await assert.rejects(answers(file), (error: CommandError) => error.exitCode === 3 && /read .* failed: ENOENT/.test(error.message));
  writeFileSync(file, 'plain');
  await assert.rejects(answers(file), (error: CommandError) => error.exitCode === 3 && /incorrect header/.test(error.message));
});
