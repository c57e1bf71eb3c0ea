/** Commands that ask a running API: incidents, incident ID, history POD. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import type { IncidentDetailJson, IncidentJson } from '../../api/routes/incidents/schema.ts';
import type { FoundJson, historyResponse } from '../../api/routes/pods/schema.ts';
import { SHORT_ID } from '../../processor/core/incident.ts';
import { apiUrlOption, get, getAll } from '../api-client.ts';
import { CommandError, EXIT } from '../errors.ts';
import { incidentTable, incidentText } from '../incident-text.ts';
import { formatTable, note, parseDuration, print, repeatable } from '../output.ts';

type HistoryJson = z.output<typeof historyResponse>;
type Output = 'table' | 'wide' | 'json' | 'ndjson';
interface ListOptions {
  readonly url: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly cluster?: readonly string[];
  readonly scenario?: readonly string[];
  readonly state?: readonly string[];
  readonly since: string;
  readonly watch?: boolean;
  readonly output: Output;
}

const WATCH_INTERVAL_MS = 2_000;

/** Adds the commands. */
export function addClientCommands(program: Command): void {
  const output = () => new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json', 'ndjson']).default('table');
  program
    .command('incidents')
    .description('list incidents of a running podtrail, newest first')
    .addOption(apiUrlOption())
    .option('-n, --namespace <namespace>', 'of this namespace only')
    .option('-A, --all-namespaces', 'of all namespaces (the default)')
    .option('--cluster <name>', 'of these clusters only; repeatable', repeatable)
    .option('--scenario <id>', 'of these scenarios only; repeatable', repeatable)
    .option('--state <state>', 'open, recovering or resolved; repeatable', repeatable)
    .option('--since <duration>', 'active within this time, such as 30m, 24h or 7d', '24h')
    .option('-w, --watch', 'go on and print what changes, until Ctrl-C')
    .addOption(output())
    .action(listIncidents);
  program
    .command('incident <id>')
    .description('show one incident: cause, what changed before, what to do, timeline, evidence and pods')
    .addOption(apiUrlOption())
    .addOption(new Option('--lang <language>', 'language of the advice').choices(['en', 'zh']).default('en'))
    .addOption(output())
    .action(showIncident);
  program
    .command('history <pod>')
    .description('what happened to a pod, by name, also after it is gone')
    .addOption(apiUrlOption())
    .option('-n, --namespace <namespace>', 'its namespace')
    .option('-A, --all-namespaces', 'in all namespaces (the default)')
    .option('--cluster <name>', 'in these clusters only; repeatable', repeatable)
    .option('--since <duration>', 'within this time', '7d')
    .option('-w, --watch', 'go on and print what happens, until Ctrl-C')
    .addOption(output())
    .action(showHistory);
}

/** Where a range begins that was given as a duration. Throws CommandError (exit 2). */
function fromOf(since: string): string {
  return new Date(Date.now() - parseDuration(since)).toISOString();
}

/** -n and -A contradict each other. */
function namespaceOf({ namespace, allNamespaces }: ListOptions): string | undefined {
  if (namespace !== undefined && allNamespaces === true) throw new CommandError(EXIT.refused, 'choose one of -n and -A');
  return namespace;
}

async function listIncidents(options: ListOptions): Promise<void> {
  const { url, cluster, scenario, state, since, output } = options;
  const namespace = namespaceOf(options);
  const fetchAll = (): Promise<IncidentJson[]> => getAll<IncidentJson>(url, '/v1/incidents', { from: fromOf(since), cluster, scenario, state, namespace });
  if (options.watch === true) endWithInterrupt();
  const incidents = await fetchAll();
  if (options.watch !== true) return printIncidents(incidents, output);
  const seen = new Map<string, string>();
  const printNews = (all: readonly IncidentJson[]): void => {
    const news = all.filter((incident) => seen.get(`${incident.cluster}/${incident.id}`) !== versionOf(incident));
    const isFirst = seen.size === 0;
    for (const incident of news) seen.set(`${incident.cluster}/${incident.id}`, versionOf(incident));
    // A stream of documents is ndjson; the newest come last, where the eye is.
    if (news.length > 0) printIncidents([...news].reverse(), output === 'json' ? 'ndjson' : output, isFirst);
  };
  printNews(incidents);
  await watch(async () => printNews(await fetchAll()));
}

const versionOf = ({ state, updatedTime, summary }: IncidentJson): string => `${updatedTime} ${state} ${summary}`;

/** Watching has no other end than Ctrl-C, so that is no failure. */
function endWithInterrupt(): void {
  process.once('SIGINT', () => process.exit(EXIT.ok));
}

/** Polls for ever. A podtrail that is away for a while is waited for. */
async function watch(poll: () => Promise<void>): Promise<never> {
  for (let isAway = false; ; ) {
    await delay(WATCH_INTERVAL_MS);
    try {
      await poll();
      if (isAway) note('it answers again');
      isAway = false;
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== EXIT.failed) throw error;
      if (!isAway) note(`${error.message}; waiting for it`);
      isAway = true;
    }
  }
}

function printIncidents(incidents: readonly IncidentJson[], output: Output, withHeader = true): void {
  if (output === 'json') return print(JSON.stringify(incidents, null, 2));
  if (output === 'ndjson') {
    for (const incident of incidents) print(JSON.stringify(incident));
    return;
  }
  if (incidents.length === 0) return note('no incidents');
  const text = incidentTable(incidents, output === 'wide', Date.now(), process.stdout.columns);
  print(withHeader ? text : text.slice(text.indexOf('\n') + 1));
}

async function showIncident(id: string, { url, output, lang }: { readonly url: string; readonly output: Output; readonly lang: string }): Promise<void> {
  const full = await completeId(url, id);
  const incident = await get<IncidentDetailJson>(url, `/v1/incidents/${encodeURIComponent(full)}`, { lang });
  if (output === 'json' || output === 'ndjson') return print(JSON.stringify(incident, null, output === 'json' ? 2 : undefined));
  print(incidentText(incident, Date.now()));
}

/** Lists print the first characters of an id; any unique beginning of one of the last 90 days will do. */
async function completeId(url: string, prefix: string): Promise<string> {
  if (prefix.length > SHORT_ID) return prefix;
  const hits = (await getAll<IncidentJson>(url, '/v1/incidents', { from: fromOf('90d') })).filter(({ id }) => id.startsWith(prefix));
  const [only, ...others] = hits;
  if (only !== undefined && others.length === 0) return only.id;
  throw new CommandError(
    EXIT.refused,
    only === undefined ? `no incident begins with ${prefix}` : `${hits.length} incidents begin with ${prefix}: ${hits.map(({ id }) => id).join(', ')}`,
  );
}

async function showHistory(pod: string, options: ListOptions): Promise<void> {
  const { url, cluster, since, output } = options;
  const namespace = namespaceOf(options);
  if (options.watch === true) endWithInterrupt();
  const hits = await getAll<FoundJson>(url, '/v1/pods', { name: pod, namespace, cluster, from: fromOf(since) });
  if (hits.length === 0) throw new CommandError(EXIT.refused, `no pod ${pod} was seen in the last ${since}`);
  const seen = new Set<string>();
  const printNews = async (): Promise<void> => {
    for (const hit of hits) {
      const path = `/v1/clusters/${encodeURIComponent(hit.cluster)}/pods/${encodeURIComponent(hit.uid)}/history`;
      const history = await get<HistoryJson>(url, path, { from: fromOf(since), limit: '500' });
      for (const { key, text } of output === 'json' || output === 'ndjson' ? historyJson(hit, history, output) : historyLines(hit, history)) {
        if (!seen.has(`${hit.cluster} ${hit.uid} ${key}`)) print(text);
        seen.add(`${hit.cluster} ${hit.uid} ${key}`);
      }
    }
  };
  await printNews();
  if (options.watch === true) await watch(printNews);
}

/** A piece of output; what has the same key was printed before. */
interface Piece {
  readonly key: string;
  readonly text: string;
}

function historyJson(hit: FoundJson, history: HistoryJson, output: 'json' | 'ndjson'): Piece[] {
  const { from: _from, to: _to, ...content } = history;
  return [{ key: JSON.stringify(content), text: JSON.stringify({ ...hit, ...history }, null, output === 'json' ? 2 : undefined) }];
}

/** Changes, Events and incidents of a pod as one story in order of time. */
function historyLines(hit: FoundJson, history: HistoryJson): Piece[] {
  const story = [
    ...history.changes.map((c) => ({
      time: c.observedTime,
      what: c.change,
      text: `${c.status} ready ${c.ready} restarts ${c.restarts}${c.node === '' ? '' : ` on ${c.node}`}`,
    })),
    ...history.events.map((e) => ({ time: e.lastTime, what: e.reason, text: `${e.note}${e.count > 1 ? ` (×${e.count})` : ''}` })),
    ...history.incidents.map((i) => ({ time: i.openedTime, what: 'INCIDENT', text: `${i.id.slice(0, SHORT_ID)} ${i.scenario}/${i.cause}: ${i.summary}` })),
  ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  const table = formatTable(
    ['TIME', 'WHAT', ''],
    story.map((entry) => [entry.time, entry.what.padEnd(WHAT_WIDTH), entry.text]),
  );
  const more = history.next === null ? [] : ['(only the newest 500 changes)'];
  return [`${hit.cluster} ${hit.namespace}/${hit.name} (uid ${hit.uid})`, ...table.split('\n'), ...more].map((text) => ({ key: text, text }));
}

/** As wide as the usual reasons of Events, so that lines that come later stand below the others. */
const WHAT_WIDTH = 16;
