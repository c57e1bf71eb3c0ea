// Runs the tests: node test/run.js [GROUP…]. A group is `check` (everything that needs no service), or the beginning of a path below
// test/, e.g. `goldens` or `contract/change-log`; none means all. One Kafka broker is started for all suites that use it.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TESTS = dirname(fileURLToPath(import.meta.url));
/** Suites that need chDB, Kafka or processes of their own. */
const WITH_SERVICES = ['sql/', 'api/', 'contract/', 'e2e/'];
/** Suites that use a Kafka broker. */
const WITH_KAFKA = ['contract/change-log', 'e2e/'];

const groups = process.argv.slice(2);
const files = readdirSync(TESTS, { recursive: true })
  .map((file) => String(file).replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.test.ts') && (groups.length === 0 || groups.some((group) => isIn(file, group))))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${groups.join(' ') || 'anything'}`);
  process.exit(1);
}

/** Children that have to end with this process. */
const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    process.exitCode = 130;
    for (const child of children) child.kill(child.signalToEnd);
  });
}

const kafka = needsKafka() ? await startKafka() : undefined;
if (process.exitCode === undefined) {
  const code = await runTests(kafka?.brokers);
  process.exitCode ??= code; // a signal has set it already
}
await kafka?.stop();

function isIn(file, group) {
  if (group === 'check') return !WITH_SERVICES.some((folder) => file.startsWith(folder));
  return file.startsWith(group.replace(/^(\.\/)?test\//, ''));
}

function needsKafka() {
  return !process.env.PODTRAIL_TEST_KAFKA && files.some((file) => WITH_KAFKA.some((folder) => file.startsWith(folder)));
}

/** Starts a process that has to end with this one; resolves to its exit code. */
function start(args, options, signalToEnd) {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], { cwd: dirname(TESTS), ...options });
  child.signalToEnd = signalToEnd;
  children.add(child);
  const exitCode = new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1))).finally(() => children.delete(child));
  return { child, exitCode };
}

/** The broker of kafka-broker.ts: it lives as long as its standard input, and so not longer than this process, however that ends. */
async function startKafka() {
  const { child, exitCode } = start([join(TESTS, 'helpers/kafka-broker.ts')], { stdio: ['pipe', 'pipe', 'inherit'], detached: true }, 0);
  const line = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    exitCode.then(() => resolve('{"skip":"the broker did not start"}'));
  });
  const { brokers, skip } = JSON.parse(line);
  if (skip !== undefined) {
    console.error(`SKIPPED all Kafka suites: ${skip}`);
    if (process.env.CI === 'true') process.exitCode = 1;
  }
  return {
    brokers,
    stop: () => {
      child.stdin.end();
      return exitCode;
    },
  };
}

function runTests(brokers) {
  const env = brokers === undefined ? process.env : { ...process.env, PODTRAIL_TEST_KAFKA: brokers.join(',') };
  const args = ['--test', '--test-reporter=spec', '--test-concurrency=2', ...files.map((file) => join(TESTS, file))];
  return start(args, { stdio: 'inherit', env }, 'SIGTERM').exitCode;
}
