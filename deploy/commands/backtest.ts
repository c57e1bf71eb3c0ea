/** `podtrail backtest`: which incidents the rules as configured now would tell otherwise, over recordings or the stored change log. */
import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { createKafkaChangeLog } from '../../collector/change-log/kafka-change-log.ts';
import type { KafkaOptions } from '../../collector/change-log/config.ts';
import { readEmbeddedLog } from '../../collector/change-log/read-embedded-log.ts';
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import { decodeChangeRecord } from '../../collector/change-record.ts';
import type { Backtest, BacktestCluster, BacktestIncident, BacktestRange, Comparison, Difference } from '../../processor/backtest.ts';
import { compareIncidents, createBacktest, incidentOf, isActive, readStoredIncidents } from '../../processor/backtest.ts';
import { SHORT_ID } from '../../processor/core/incident.ts';
import { readToEnd } from '../../processor/read-log.ts';
import { type Config, loadConfig } from '../config.ts';
import { CommandError, EXIT } from '../errors.ts';
import { createLogger } from '../logger.ts';
import { createProgress, formatTable, note, parseDuration, print } from '../output.ts';
import { openExistingStore } from '../parts.ts';
import { readRecords, recordingName } from '../recording-input.ts';

type Format = 'table' | 'json' | 'ndjson';
interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly config?: string;
  readonly data?: string;
  readonly recording?: string[];
  readonly format: Format;
}

/** Adds the command. */
export function addBacktestCommand(program: Command): void {
  program
    .command('backtest')
    .description(
      'run the rules as configured now over the stored change log, or over recordings, and print the incidents that would be new, gone or told otherwise',
    )
    .option('--from <time>', 'start of the range: RFC 3339, or a duration before now such as 24h (default: 24h; of recordings, all)')
    .option('--to <time>', 'end of the range, likewise (default: now; of recordings, all)')
    .option('--config <file>', 'YAML configuration with the rules to try, and where the change log and the store are')
    .option('--data <directory>', 'where standalone keeps its data, if not where the configuration says')
    .option('--recording <file...>', 'compare over these recordings with what the default rules tell')
    .addOption(new Option('-o, --format <format>', 'how to print').choices(['table', 'json', 'ndjson']).default('table'))
    .action(runBacktest);
}

async function runBacktest(options: Options): Promise<void> {
  const config = loadConfig({ file: options.config, overrides: { dataDirectory: options.data } });
  const files = options.recording ?? [];
  const range = parseRange(options, files.length > 0 ? 0 : Date.now() - parseDuration('24h'), Date.now());
  const comparison = files.length > 0 ? await overRecordings(files, config, range) : await overLog(config, range);
  printComparison(comparison, range, options.format);
}

/** The range of the options. Throws CommandError (exit 2). */
export function parseRange({ from, to }: Pick<Options, 'from' | 'to'>, defaultFromMs: number, nowMs: number): BacktestRange {
  const range = { fromMs: parseTime('--from', from, nowMs) ?? defaultFromMs, toMs: parseTime('--to', to, nowMs) ?? nowMs };
  if (range.fromMs > range.toMs) throw new CommandError(EXIT.refused, `--from ${iso(range.fromMs)} is after --to ${iso(range.toMs)}`);
  return range;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

function parseTime(option: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+[smhd]$/.test(text)) return nowMs - parseDuration(text);
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new CommandError(EXIT.refused, `${option} ${text}: expected a time such as 2026-01-31T08:00:00Z, or a duration such as 24h`);
  return timeMs;
}

/** Both sides are replayed: a recording has no incidents but those that rules tell. */
async function overRecordings(files: readonly string[], config: Config, range: BacktestRange): Promise<Comparison> {
  const before = createBacktest({});
  const after = createBacktest(config.rules);
  for (const file of files) {
    for await (const record of readRecords(file, recordingName(file), config.rules)) {
      before.push(record);
      after.push(record);
    }
  }
  warnOfRules(after);
  return compareIncidents(activeIn(before.incidents(), range), activeIn(after.incidents(), range));
}

const activeIn = (incidents: readonly BacktestIncident[], range: BacktestRange): BacktestIncident[] =>
  incidents.filter((incident) => isActive(incident, range));

/** The log is read to its end, whatever --to says: what is stored knows how the incidents of the range went on, too. */
async function overLog(config: Config, range: BacktestRange): Promise<Comparison> {
  // First: it is soon said that there is none.
  const store = await openExistingStore(config).catch((error: unknown) => {
    throw withRemedy(error);
  });
  try {
    const after = createBacktest(config.rules);
    await readLog(config, after);
    const clusters = after.clusters();
    assertHeld(clusters, range);
    tellCoverage(clusters, range);
    warnOfRules(after);
    const whole = clusters.filter(({ wholeFromMs }) => wholeFromMs !== undefined && wholeFromMs <= range.toMs);
    const names = whole.map(({ cluster }) => cluster);
    return compareWhole(await readStoredIncidents(store.client, names, range), after.incidents(), whole, range);
  } finally {
    await store.close();
  }
}

function tellCoverage(clusters: readonly BacktestCluster[], { fromMs }: BacktestRange): void {
  for (const { cluster, wholeFromMs } of clusters) {
    if (wholeFromMs === undefined) note(`${cluster}: the change log holds no full lists, nothing of it is compared`);
    else if (wholeFromMs > fromMs) note(`${cluster}: the change log holds the whole state from ${iso(wholeFromMs)} on, it is compared from there`);
  }
}

/** Compares, of each cluster, what was active since its records were whole. */
export function compareWhole(
  before: readonly BacktestIncident[],
  after: readonly BacktestIncident[],
  clusters: readonly BacktestCluster[],
  { fromMs, toMs }: BacktestRange,
): Comparison {
  const wholeFrom = new Map(clusters.map(({ cluster, wholeFromMs = 0 }) => [cluster, wholeFromMs]));
  const isCompared = (incident: BacktestIncident): boolean => {
    const since = wholeFrom.get(incident.cluster);
    return since !== undefined && isActive(incident, { fromMs: Math.max(fromMs, since), toMs });
  };
  return compareIncidents(before.filter(isCompared), after.filter(isCompared), (cluster) => wholeFrom.get(cluster) ?? 0);
}

/** Throws CommandError (exit 2) if nothing of the range is left in the log. */
export function assertHeld(clusters: readonly BacktestCluster[], range: BacktestRange): void {
  if (clusters.length === 0) throw new CommandError(EXIT.refused, 'the change log holds no records');
  if (clusters.some(({ wholeFromMs, lastMs }) => wholeFromMs !== undefined && wholeFromMs <= range.toMs && lastMs >= range.fromMs)) return;
  const [first, last] = [Math.min(...clusters.map((c) => c.wholeFromMs ?? c.lastMs)), Math.max(...clusters.map((c) => c.lastMs))];
  const held = `the change log holds what can be replayed from ${iso(first)} to ${iso(last)}, nothing of ${iso(range.fromMs)} to ${iso(range.toMs)}`;
  throw new CommandError(
    EXIT.refused,
    `${held}; choose --from and --to within it, raise changeLog.retentionMs for the next time, or backtest with --recording`,
  );
}

async function readLog(config: Config, backtest: Backtest): Promise<void> {
  let undecodable = 0;
  const take = (records: readonly LogRecord[]): void => {
    for (const { key, value } of records) {
      const decoded = decodeChangeRecord(value);
      if (decoded.ok && decoded.record.cluster.uid === key) backtest.push(decoded.record);
      else undecodable++;
    }
  };
  if (config.changeLog.kind === 'kafka') await readKafka(config, config.changeLog, take);
  else await readEmbedded(config.changeLog.directory, take);
  if (undecodable > 0) note(`${undecodable} records of the change log cannot be read, as the dead letters say`);
}

async function readEmbedded(directory: string, take: (records: readonly LogRecord[]) => void): Promise<void> {
  let progress = createProgress(0, 'bytes');
  let known = 0;
  try {
    for await (const { records, position, total } of readEmbeddedLog(directory)) {
      if (known !== total) {
        progress.stop();
        progress = createProgress(total, 'bytes');
        known = total;
      }
      take(records);
      progress.update(position);
    }
  } catch (error) {
    throw withRemedy(error);
  } finally {
    progress.stop();
  }
}

/** One process owns the embedded parts; a running podtrail has them. */
function withRemedy(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (code === 'PODTRAIL_LOG_LOCKED') return new CommandError(EXIT.refused, `${message}; stop it first, or backtest with --recording`, { cause: error });
  if (code === 'PODTRAIL_STORE_LOCKED') return new CommandError(EXIT.refused, `${message}, or backtest with --recording`, { cause: error });
  return error;
}

/** A consumer group of its own takes no partition from the processors, and commits nothing. */
async function readKafka(config: Config, options: KafkaOptions, take: (records: readonly LogRecord[]) => void): Promise<void> {
  const log = createLogger({ ...config.logging, level: 'warn' });
  const kafka = createKafkaChangeLog({ ...options, createTopic: false }, { log: log.child({ component: 'change-log' }) });
  try {
    const { gaps } = await readToEnd(kafka.reader({ groupId: `${config.processor.groupId}-backtest-${randomUUID()}` }), take);
    if (gaps > 0) note(`records were deleted from the change log while it was read, ${gaps} times: those clusters were blind until their next full lists`);
  } finally {
    await kafka.close();
  }
}

function warnOfRules(backtest: Backtest): void {
  if (backtest.ruleErrors() > 0) note(`rules failed ${backtest.ruleErrors()} times: what they would have said is missing`);
}

function printComparison(comparison: Comparison, range: BacktestRange, format: Format): void {
  const { differences, same, undecided } = comparison;
  const count = (kind: Difference['kind']): number => differences.filter((difference) => difference.kind === kind).length;
  const counts = { new: count('new'), gone: count('gone'), reclassified: count('reclassified'), same, undecided };
  const lines = differences.map(differenceJson);
  if (format === 'json') print(JSON.stringify({ from: iso(range.fromMs), to: iso(range.toMs), ...counts, differences: lines }, null, 2));
  else if (format === 'ndjson') for (const line of lines) print(JSON.stringify(line));
  else if (differences.length > 0) print(differenceTable(differences));
  const left = undecided === 0 ? '' : `; ${undecided} opened before the log was whole, and cannot be compared`;
  note(`${counts.new} new, ${counts.gone} gone, ${counts.reclassified} reclassified, ${same} the same${left}`);
}

function told({ scenario, cause, muted }: BacktestIncident): string {
  return `${scenario}/${cause}${muted ? ' (muted)' : ''}`;
}

/** Rows of differences for a person. */
export function differenceTable(differences: readonly Difference[]): string {
  const rows = differences.map((difference) => {
    const { cluster, id, subject, openedMs, pods, summary } = incidentOf(difference);
    const name = `${subject.kind}/${[subject.namespace, subject.name, subject.container].filter((part) => part !== '').join('/')}`;
    const before = difference.kind === 'new' ? '-' : told(difference.before);
    const after = difference.kind === 'gone' ? '-' : told(difference.after);
    return [difference.kind, iso(openedMs), cluster, name, before, after, String(pods), id.slice(0, SHORT_ID), summary.slice(0, 80)];
  });
  return formatTable(['CHANGE', 'OPENED', 'CLUSTER', 'SUBJECT', 'BEFORE', 'AFTER', 'PODS', 'ID', 'SUMMARY'], rows);
}

function differenceJson(difference: Difference): unknown {
  const { kind } = difference;
  return {
    kind,
    before: difference.kind === 'new' ? null : incidentJson(difference.before),
    after: difference.kind === 'gone' ? null : incidentJson(difference.after),
  };
}

function incidentJson({ openedMs, resolvedMs, ...incident }: BacktestIncident): unknown {
  return { ...incident, openedTime: iso(openedMs), resolvedTime: resolvedMs === 0 ? null : iso(resolvedMs) };
}
