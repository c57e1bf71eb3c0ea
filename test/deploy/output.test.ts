import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../../deploy/errors.ts';
import { type IncidentLine, incidentTable } from '../../deploy/incident-text.ts';
import { createLogger, formatLogLine } from '../../deploy/logger.ts';
import { formatDuration, formatTable, parseDuration } from '../../deploy/output.ts';

test('tables have columns of equal width, and no blanks at line ends', () => {
  assert.equal(
    formatTable(
      ['NAME', 'X', ''],
      [
        ['a', 'long one', 'end'],
        ['longest', '', ''],
      ],
    ),
    'NAME     X\na        long one  end\nlongest',
  );
});

test('control characters of others do not reach the terminal', () => {
  assert.equal(formatTable(['A'], [['\u001b[31mred\u0007\nnext\u009b']]), 'A\n [31mred  next');
});

test('ages read as kubectl prints them', () => {
  const cases: readonly (readonly [number, string])[] = [
    [-5_000, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_199_000, '119m'],
    [7_200_000, '2h'],
    [172_799_000, '47h'],
    [172_800_000, '2d'],
  ];
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
});

test('durations are a number and a unit', () => {
  assert.deepEqual(['90s', '30m', '24h', '7d'].map(parseDuration), [90_000, 1_800_000, 86_400_000, 604_800_000]);
  for (const text of ['', '30', 'm', '1.5h', '1w', '-1h', '9999999s', '1h30m']) {
    assert.throws(
      () => parseDuration(text),
      (error) => error instanceof CommandError && error.exitCode === 2 && error.message.includes(`"${text}"`),
      text,
    );
  }
});

const INCIDENT: IncidentLine = {
  id: '0123456789abcdef0123',
  cluster: 'prod',
  scenario: 'oom_killed',
  cause: 'container_limit',
  detail: '',
  state: 'open',
  resolution: null,
  severity: 'warning',
  subject: { kind: 'Deployment', namespace: 'shop', name: 'cart', container: 'app' },
  openedTime: '2026-01-31T08:00:00.000Z',
  updatedTime: '2026-01-31T08:00:00.000Z',
  summary: 'x'.repeat(100),
};
const NOW_MS = Date.parse('2026-01-31T08:05:00Z');

test('a list of incidents shows how each ended, its detail, and the beginning of its id and summary', () => {
  const resolved = {
    ...INCIDENT,
    state: 'resolved',
    resolution: 'recovered',
    detail: 'child_process',
    subject: { ...INCIDENT.subject, namespace: '', container: '' },
  };
  assert.deepEqual(
    incidentTable([INCIDENT, resolved], false, NOW_MS)
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
    [
      ['ID', 'AGE', 'CLUSTER', 'STATE', 'SCENARIO', 'CAUSE', 'SUBJECT', 'SUMMARY'],
      ['0123456789ab', '5m', 'prod', 'open', 'oom_killed', 'container_limit', 'Deployment/shop/cart/app', `${'x'.repeat(79)}…`],
      ['0123456789ab', '5m', 'prod', 'recovered', 'oom_killed', 'container_limit (child_process)', 'Deployment/cart', `${'x'.repeat(79)}…`],
    ],
  );
});

test('a terminal without room for a line an incident gets two, cut at its edge', () => {
  const lines = (columns: number): string[] => incidentTable([INCIDENT], false, NOW_MS, columns).split('\n');
  const row = '0123456789ab  5m   prod     open   oom_killed  container_limit  Deployment/shop/cart/app  ';
  assert.equal(lines(row.length + 40)[1], `${row}${'x'.repeat(39)}…`);
  const narrow = (columns: number) => [
    'ID            AGE  CLUSTER  STATE  CAUSE',
    '0123456789ab  5m   prod     open   container_limit',
    `  ${'x'.repeat(columns - 3)}…`,
  ];
  assert.deepEqual(lines(row.length + 39).slice(0, 2), narrow(80).slice(0, 2));
  assert.deepEqual(lines(80), narrow(80));
});

test('wide, it adds the severity and cuts nothing', () => {
  const [head = '', line = ''] = incidentTable([INCIDENT], true, NOW_MS).split('\n');
  assert.match(head, /SEVERITY +SUMMARY$/);
  assert.ok(line.endsWith(`warning   ${INCIDENT.summary}`));
});

/** Lines of the log as the logger hands them to its destination. */
function logLines(write: (log: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  write(createLogger({ level: 'debug', format: 'json' }, { write: (line) => void lines.push(line) }));
  return lines;
}

test('the log is JSON with times and levels as words, and without credentials', () => {
  const [line = ''] = logLines((log) => log.child({ component: 'api' }).warn({ headers: { authorization: 'Bearer x', cookie: 'y' } }, 'refused'));
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(rest, { level: 'warn', component: 'api', headers: { authorization: '***', cookie: '***' }, msg: 'refused' });
});

test('on a terminal the log is text: time, level, component, message, fields, and of errors the message', () => {
  const lines = logLines((log) => {
    log.child({ component: 'processor' }).info({ partition: 0, start: '12' }, 'partition assigned');
    log.warn({ err: Object.assign(new Error('no answer\u001b[0m'), { code: 'PODTRAIL_X' }), reason: 'two words' }, 'retrying');
  });
  assert.deepEqual(
    lines.map(formatLogLine).map((line) => line.replace(/^\d\d:\d\d:\d\d /, '')),
    ['info  processor: partition assigned partition=0 start=12', 'warn  retrying reason="two words" error="no answer\\u001b[0m" code=PODTRAIL_X'],
  );
});

test('an error without a code is a bug: its stack is shown', () => {
  const [line = ''] = logLines((log) => log.error({ err: new TypeError('x is undefined') }, 'cannot go on'));
  assert.match(formatLogLine(line), /error="x is undefined"\nTypeError: x is undefined\n {4}at /);
});
