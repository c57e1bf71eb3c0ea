import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { changeLogConfig } from '../../collector/change-log/config.ts';
import { DEFAULT_THRESHOLDS } from '../../processor/core/rules-config.ts';
import { configSchema, loadConfig } from '../../deploy/config.ts';
import { listConfigKeys } from '../../deploy/config-keys.ts';
import { buildExample } from '../../deploy/make-example.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const TEXT = readFileSync(new URL('../../deploy/podtrail.example.yaml', import.meta.url), 'utf8');
const [HEAD = '', ...SECTIONS] = TEXT.trim().split('\n\n');
const uncomment = (text: string): string => text.replace(/^# ?/gm, '');

test('the example is what its script makes of the schema', () => {
  assert.ok(buildExample() === TEXT, 'run node --import tsx deploy/make-example.ts');
});

test('as it stands it changes nothing', () => {
  assert.deepEqual(configSchema.parse(parse(TEXT) ?? {}), configSchema.parse({}));
});

test('uncommented as a whole, with either change log, it is the defaults', () => {
  const folder = tempFolder();
  for (const kind of ['embedded', 'kafka']) {
    const sections = SECTIONS.map((section) => {
      const blocks = uncomment(section).split('\nor\n');
      return blocks.find((block) => block.includes(`kind: ${kind}`)) ?? blocks[0];
    });
    const config = loadConfig({
      file: folder.write(
        `${kind}.yaml`,
        `${sections
          .join('\n')
          .replace('brokers:', 'brokers: [kafka:9092]')
          .replace(/^ {2}sasl:\n( {4}.*\n)*/m, '')}`,
      ),
      env: {},
    });
    const plain = loadConfig({ env: {} });
    const changeLog = kind === 'embedded' ? plain.changeLog : changeLogConfig.parse({ kind, brokers: ['kafka:9092'] });
    assert.deepEqual(config, { ...plain, changeLog, rules: { ...plain.rules, thresholds: DEFAULT_THRESHOLDS } });
  }
});

test('every setting is there, with what is said of it right above', () => {
  const lines = uncomment(SECTIONS.join('\n')).split('\n');
  for (const { path, description } of listConfigKeys(configSchema)) {
    const key = path.split('.').at(-1);
    assert.ok(description !== undefined, `${path} is not documented`);
    const said = description.split(' ').slice(0, 5).join(' ');
    const at = lines.findIndex(
      (line, index) =>
        line.trim().startsWith(`# ${said}`) &&
        lines
          .slice(index + 1)
          .find((next) => !next.trim().startsWith('#'))
          ?.trim()
          .startsWith(`${key}:`),
    );
    assert.ok(at >= 0, `${path} is missing, or stands without "${said} …"`);
  }
  assert.match(HEAD, /PODTRAIL_PROCESSOR__FLUSH_INTERVAL_MS=500/);
});
