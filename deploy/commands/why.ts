/** `podtrail why POD`: why there is an incident about a pod, or why not; of a running podtrail, or at a moment of a recording. */
import { type Command, Option } from 'commander';
import type { ClusterJson } from '../../api/routes/clusters/schema.ts';
import type { FoundJson } from '../../api/routes/pods/schema.ts';
import type { WhyJson } from '../../api/routes/why/schema.ts';
import { buildWhy } from '../../api/routes/why/schema.ts';
import type { Replay } from '../../processor/replay.ts';
import { createReplay } from '../../processor/replay.ts';
import { answerWhy } from '../../processor/why.ts';
import { loadConfig } from '../config.ts';
import { CommandError, EXIT } from '../errors.ts';
import { formatDuration, parseAt, print, printable } from '../output.ts';
import { apiUrlOption, get, getAll } from '../api-client.ts';
import { readUnended, recordingName } from '../recording-input.ts';

interface Options {
  readonly url: string;
  readonly namespace: string;
  readonly cluster?: string;
  readonly recording?: string;
  readonly at?: string;
  readonly config?: string;
  readonly output: 'text' | 'json';
}

/** Adds the command. */
export function addWhyCommand(program: Command): void {
  program
    .command('why <pod>')
    .description('say why there is an incident about a pod (name or uid), or why not: what every rule sees of it now')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .option('--cluster <name>', 'its cluster (default: the one that has such a pod)')
    .addOption(apiUrlOption())
    .option('--recording <file>', 'ask at the end of a recording (.ndjson, .ndjson.gz) instead of a running podtrail')
    .option('--at <time>', 'with --recording: ask at this time, RFC 3339')
    .option('--config <file>', 'with --recording: YAML configuration; its rules apply')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(async (pod: string, options: Options) => {
      const why = options.recording === undefined ? await askApi(pod, options) : await askRecording(options.recording, pod, options);
      if (options.output === 'json') return print(JSON.stringify(why, null, 2));
      // The end of a recording is long ago, and no less true.
      print(whyText(why, options.recording === undefined ? Date.now() : undefined));
    });
}

async function askApi(pod: string, { url, namespace, cluster, at, config }: Options): Promise<WhyJson> {
  if (at !== undefined || config !== undefined)
    throw new CommandError(EXIT.refused, '--at and --config go with --recording: a running podtrail answers for now');
  return get<WhyJson>(url, '/v1/why', { cluster: cluster ?? (await findCluster(url, namespace, pod)), namespace, pod });
}

/** The only cluster, or the only one in which a pod of this name was seen of late. */
async function findCluster(url: string, namespace: string, pod: string): Promise<string> {
  const names = (await getAll<ClusterJson>(url, '/v1/clusters', {})).map((item) => item.cluster);
  if (names.length === 0) throw new CommandError(EXIT.refused, `${url} knows no cluster yet`);
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  const hits = await getAll<FoundJson>(url, '/v1/pods', { name: pod, namespace });
  const found = [...new Set(hits.filter(({ gone }) => !gone).map((hit) => hit.cluster))];
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw new CommandError(
    EXIT.refused,
    found.length === 0
      ? `none of ${names.length} clusters has a living pod ${namespace}/${pod}; name a cluster with --cluster to ask by uid`
      : `${found.length} clusters have a pod ${namespace}/${pod}: choose with --cluster ${found.join(' | ')}`,
  );
}

async function askRecording(file: string, pod: string, { namespace, cluster, at, config }: Options): Promise<WhyJson> {
  const untilMs = at === undefined ? Number.POSITIVE_INFINITY : parseAt(at);
  const replay = createReplay();
  let uid = '';
  for await (const record of readUnended(file, cluster ?? recordingName(file), loadConfig({ file: config }).rules)) {
    if (record.t > untilMs) break;
    replay.push(record);
    uid = record.cluster.uid;
  }
  const state = replay.state(uid);
  if (state === undefined) throw new CommandError(EXIT.badInput, at === undefined ? `${file} holds no records` : `${file} begins after ${at}`);
  const answer = answerWhy(state, namespace, pod);
  if (answer.kind === 'not_found') {
    const when = at === undefined ? `at the end of ${file}` : `at ${at}`;
    throw new CommandError(EXIT.refused, `no pod ${namespace}/${pod} lives ${when}${whenItLived(replay, namespace, pod)}`);
  }
  return buildWhy(answer);
}

function whenItLived(replay: Replay, namespace: string, pod: string): string {
  const rows = replay.rows('pod_changes').filter((row) => row.namespace === namespace && (row.name === pod || row.uid === pod));
  if (rows.length === 0) return '';
  const times = rows.map((row) => row.observedTimeMs);
  const [first, last] = [Math.min(...times), Math.max(...times)].map((timeMs) => new Date(timeMs).toISOString());
  return `; it was seen from ${first} to ${last}: choose a time with --at`;
}

type ScenarioJson = WhyJson['scenarios'][number];

/** An answer for a person. `nowMs` is what its age counts from; undefined: the age says nothing. */
export function whyText(why: WhyJson, nowMs?: number): string {
  const { pod, workload, disruption } = why;
  const place = pod.node === '' ? 'on no node yet' : `on node ${pod.node}`;
  const owner = workload.kind === '' || workload.kind === 'Pod' ? '' : `, of ${workload.kind} ${workload.name}`;
  const asked = why.scenarios.filter(({ verdict }) => verdict !== 'no_signal');
  const calm = why.scenarios.filter(({ verdict }) => verdict === 'no_signal').map(({ scenario }) => scenario);
  const lines = [
    `Pod ${pod.namespace}/${pod.name} in cluster ${why.cluster}: ${pod.status}, ${place}${owner}`,
    asOfLine(why, nowMs),
    '',
    ...asked.flatMap(scenarioLines),
    ...(asked.length === 0 ? ['No rule sees anything wrong.'] : calm.length === 0 ? [] : [`Nothing wrong by: ${calm.join(', ')}`]),
    ...(disruption === null ? [] : [`Disruption, which is no incident: ${disruption.reason}${disruption.message === '' ? '' : `: ${disruption.message}`}`]),
    ...why.blind.map((b) => `${b.uncollectable ? 'Cannot see' : 'Does not see'} ${b.resource} since ${b.since}: ${b.reason || 'no reason given'}`),
  ];
  return lines.map(printable).join('\n');
}

function asOfLine({ asOf, source, checkpointTime }: WhyJson, nowMs: number | undefined): string {
  const at = asOf ?? checkpointTime;
  if (at === null) return 'before the first record';
  const age = nowMs === undefined ? '' : `, ${formatDuration(nowMs - Date.parse(at))} ago`;
  return `as of ${at}${age}${source === 'checkpoint' ? ' (the last checkpoint)' : ''}`;
}

function scenarioLines({ scenario, cause, confidence, text, summary, evidence, muted }: ScenarioJson): string[] {
  const what = cause === null ? scenario : `${scenario}/${cause}, ${confidence ?? 'certain'}`;
  return [
    `${what}: ${text}`,
    ...(summary === null ? [] : [`  ${summary}`]),
    ...evidence.map((e) => `    ${e.object} ${e.path}: ${e.value}`),
    ...(muted === null ? [] : [`  muted: ${muted}`]),
  ];
}
