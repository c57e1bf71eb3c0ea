/** Commands that ask a running API: incidents, incident ID, history POD. */
import { type Command, Option } from 'commander';
import { CommandError, EXIT } from '../errors.ts';
import { formatDuration, formatTable, note, print, printable, repeatable } from '../output.ts';

/** What these commands read of an incident; the API's contract has more. */
interface Incident {
  readonly id: string;
  readonly cluster: string;
  readonly scenario: string;
  readonly cause: string;
  readonly detail: string;
  readonly state: string;
  readonly resolution: string | null;
  readonly severity: string;
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string; readonly container: string };
  readonly podCount: number;
  readonly openedTime: string;
  readonly updatedTime: string;
  readonly resolvedTime: string | null;
  readonly summary: string;
}
interface IncidentDetail extends Incident {
  readonly evidence: readonly { readonly object: string; readonly path: string; readonly value: string }[];
  readonly timeline: readonly { readonly time: string; readonly kind: string; readonly text: string }[];
  readonly members: readonly { readonly namespace: string; readonly name: string; readonly state: string; readonly node: string }[];
}
interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
interface PodHit {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}
interface PodHistory {
  readonly changes: readonly {
    readonly observedTime: string;
    readonly change: string;
    readonly status: string;
    readonly ready: string;
    readonly restarts: number;
    readonly node: string;
  }[];
  readonly events: readonly { readonly lastTime: string; readonly type: string; readonly reason: string; readonly note: string; readonly count: number }[];
  readonly incidents: readonly Incident[];
}

type Output = 'table' | 'wide' | 'json' | 'ndjson';
interface ListOptions {
  readonly url: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly cluster?: string[];
  readonly scenario?: string[];
  readonly state?: string[];
  readonly since: string;
  readonly watch?: boolean;
  readonly output: Output;
}

/** Pages a list command follows at most: 100 pages of 500 are more than a person reads. */
const MAX_PAGES = 100;
const WATCH_INTERVAL_MS = 2_000;

/** `--url`, for whatever asks a running API. */
export const apiUrlOption = (): Option => new Option('--url <url>', 'address of the API').default('http://127.0.0.1:8080').env('PODTRAIL_URL');

/** Adds the commands. */
export function addClientCommands(program: Command): void {
  const url = apiUrlOption;
  const output = () => new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json', 'ndjson']).default('table');
  program
    .command('incidents')
    .description('list incidents, newest first')
    .addOption(url())
    .option('-n, --namespace <namespace>', 'of this namespace only')
    .option('-A, --all-namespaces', 'of all namespaces (the default)')
    .option('--cluster <name>', 'of these clusters only; repeatable', repeatable)
    .option('--scenario <id>', 'of these scenarios only; repeatable', repeatable)
    .option('--state <state>', 'open, recovering or resolved; repeatable', repeatable)
    .option('--since <duration>', 'active within this time, such as 30m, 24h or 7d', '24h')
    .option('-w, --watch', 'print what changes until stopped')
    .addOption(output())
    .action(listIncidents);
  program
    .command('incident <id>')
    .description('show one incident with its story, evidence and members')
    .addOption(url())
    .addOption(output())
    .action(showIncident);
  program
    .command('history <pod>')
    .description('what happened to a pod, by name, also after it is gone')
    .addOption(url())
    .option('-n, --namespace <namespace>', 'its namespace')
    .option('-A, --all-namespaces', 'in all namespaces (the default)')
    .option('--cluster <name>', 'in these clusters only; repeatable', repeatable)
    .option('--since <duration>', 'within this time', '7d')
    .addOption(output())
    .action(showHistory);
}

/** `30m`, `24h`, `7d` in ms. Throws CommandError (exit 2). */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  if (match === null) throw new CommandError(EXIT.refused, `"${text}" is not a duration such as 30m, 24h or 7d`);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 's' | 'm' | 'h' | 'd'];
  return Number(match[1]) * unit;
}

/** GET of the API's JSON. Throws CommandError: exit 2 where the API refuses the request, 1 where it fails or does not answer. */
export async function get<T>(base: string, path: string, params: Readonly<Record<string, string | readonly string[] | undefined>> = {}): Promise<T> {
  const url = new URL(path, base);
  for (const [key, value] of Object.entries(params)) for (const one of value === undefined ? [] : [value].flat()) url.searchParams.append(key, one);
  return ask<T>(base, url, { headers: { accept: 'application/json' } });
}

/** Posts JSON to a running API. Throws CommandError: exit 2 for what the API refuses, 1 for no answer. */
export async function postJson<T>(base: string, path: string, body: unknown): Promise<T> {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return ask<T>(base, new URL(path, base), { method: 'POST', headers, body: JSON.stringify(body) });
}

async function ask<T>(base: string, url: URL, request: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    const cause = (error as Error & { cause?: Error }).cause?.message ?? (error as Error).message;
    throw new CommandError(EXIT.failed, `no answer from ${base}: ${cause}. Is podtrail running there? Another address: --url`);
  }
  const body = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  if (!response.ok)
    throw new CommandError(response.status < 500 ? EXIT.refused : EXIT.failed, `${base} says ${response.status}: ${body.detail ?? body.title ?? 'no reason'}`);
  return body as T;
}

/** All items of a paged list, up to a bound that it then tells. */
export async function getAll<T>(base: string, path: string, params: Readonly<Record<string, string | readonly string[] | undefined>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { items: more, next } = await get<Page<T>>(base, path, { ...params, limit: '500', cursor });
    items.push(...more);
    if (next === null) return items;
    cursor = next;
  }
  note(`only the first ${items.length} are shown`);
  return items;
}

async function listIncidents(options: ListOptions): Promise<void> {
  const sinceMs = parseDuration(options.since);
  const { cluster, scenario, state, namespace } = options;
  const fetchAll = (): Promise<Incident[]> =>
    getAll<Incident>(options.url, '/v1/incidents', { from: new Date(Date.now() - sinceMs).toISOString(), cluster, scenario, state, namespace });
  printIncidents(await fetchAll(), options.output);
  if (options.watch !== true) return;
  const seen = new Map((await fetchAll()).map((i) => [i.id, i.updatedTime]));
  for (;;) {
    await new Promise((done) => setTimeout(done, WATCH_INTERVAL_MS));
    const changed = (await fetchAll()).filter((i) => seen.get(i.id) !== i.updatedTime).reverse();
    for (const incident of changed) seen.set(incident.id, incident.updatedTime);
    if (changed.length > 0) printIncidents(changed, options.output, false);
  }
}

function printIncidents(incidents: readonly Incident[], output: Output, withHeader = true): void {
  if (output === 'json') return print(JSON.stringify(incidents, null, 2));
  if (output === 'ndjson') return incidents.forEach((incident) => void print(JSON.stringify(incident)));
  if (incidents.length === 0) return note('no incidents');
  const text = incidentTable(incidents, output === 'wide', Date.now());
  print(withHeader ? text : text.slice(text.indexOf('\n') + 1));
}

/** Rows of incidents for a person; `nowMs` is what ages count from. */
export function incidentTable(incidents: readonly Omit<Incident, 'podCount'>[], wide: boolean, nowMs: number): string {
  const header = ['ID', 'AGE', 'CLUSTER', 'STATE', 'SCENARIO', 'CAUSE', 'SUBJECT', ...(wide ? ['SEVERITY'] : []), 'SUMMARY'];
  const rows = incidents.map((i) => {
    const { kind, namespace, name, container } = i.subject;
    const subject = `${kind}/${[namespace, name, container].filter((part) => part !== '').join('/')}`;
    const state = i.state === 'resolved' ? (i.resolution ?? i.state) : i.state;
    const summary = wide || i.summary.length <= 80 ? i.summary : `${i.summary.slice(0, 79)}…`;
    const cause = i.detail === '' ? i.cause : `${i.cause} (${i.detail})`;
    return [
      i.id.slice(0, 12),
      formatDuration(nowMs - Date.parse(i.openedTime)),
      i.cluster,
      state,
      i.scenario,
      cause,
      subject,
      ...(wide ? [i.severity] : []),
      summary,
    ];
  });
  return formatTable(header, rows);
}

async function showIncident(id: string, options: { readonly url: string; readonly output: Output }): Promise<void> {
  const full = id.length >= 20 ? id : await completeId(options.url, id);
  const incident = await get<IncidentDetail>(options.url, `/v1/incidents/${encodeURIComponent(full)}`);
  if (options.output === 'json' || options.output === 'ndjson') return print(JSON.stringify(incident, null, options.output === 'json' ? 2 : undefined));
  print(incidentTable([incident], true, Date.now()));
  print(
    `\nTimeline\n${formatTable(
      ['TIME', 'WHAT', ''],
      incident.timeline.map((t) => [t.time, t.kind, t.text]),
    )}`,
  );
  print(
    `\nEvidence\n${formatTable(
      ['OBJECT', 'FIELD', 'VALUE'],
      incident.evidence.map((e) => [e.object, e.path, e.value]),
    )}`,
  );
  print(
    `\nPods (${incident.podCount})\n${formatTable(
      ['POD', 'STATE', 'NODE'],
      incident.members.map((m) => [`${m.namespace}/${m.name}`, m.state, m.node]),
    )}`,
  );
}

/** Lists print the first 12 characters of an id; any unique beginning will do. */
async function completeId(base: string, prefix: string): Promise<string> {
  const from = new Date(Date.now() - parseDuration('90d')).toISOString();
  const hits = (await getAll<Incident>(base, '/v1/incidents', { from })).filter((i) => i.id.startsWith(prefix));
  if (hits.length === 1 && hits[0] !== undefined) return hits[0].id;
  throw new CommandError(EXIT.refused, hits.length === 0 ? `no incident begins with ${prefix}` : `${hits.length} incidents begin with ${prefix}`);
}

async function showHistory(pod: string, options: ListOptions): Promise<void> {
  const from = new Date(Date.now() - parseDuration(options.since)).toISOString();
  const hits = await getAll<PodHit>(options.url, '/v1/pods', { name: pod, namespace: options.namespace, cluster: options.cluster, from });
  if (hits.length === 0) throw new CommandError(EXIT.refused, `no pod ${pod} was seen in the last ${options.since}`);
  for (const hit of hits) {
    const history = await get<PodHistory>(options.url, `/v1/clusters/${encodeURIComponent(hit.cluster)}/pods/${encodeURIComponent(hit.uid)}/history`, { from });
    if (options.output === 'json' || options.output === 'ndjson')
      print(JSON.stringify({ ...hit, ...history }, null, options.output === 'json' ? 2 : undefined));
    else printHistory(hit, history);
  }
}

/** Changes, Events and incidents of a pod as one story in order of time. */
function printHistory(hit: PodHit, history: PodHistory): void {
  const lines = [
    ...history.changes.map((c) => ({
      time: c.observedTime,
      what: c.change,
      text: `${c.status} ready ${c.ready} restarts ${c.restarts}${c.node === '' ? '' : ` on ${c.node}`}`,
    })),
    ...history.events.map((e) => ({ time: e.lastTime, what: e.reason, text: `${e.note}${e.count > 1 ? ` (×${e.count})` : ''}` })),
    ...history.incidents.map((i) => ({ time: i.openedTime, what: 'INCIDENT', text: `${i.id.slice(0, 12)} ${i.scenario}/${i.cause}: ${i.summary}` })),
  ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  print(`${hit.cluster} ${hit.namespace}/${hit.name} (uid ${hit.uid})`);
  print(
    formatTable(
      ['TIME', 'WHAT', ''],
      lines.map((l) => [l.time, l.what, printable(l.text)]),
    ),
  );
}
