/**
 * Whole situations as people paste them: a pod with its status, its Events and what else the list holds, in a compact text that
 * reads like `kubectl describe`. A line each:
 *
 *     == what it is                              begins a situation
 *     want scenario/cause or silent or underway  any of these is right; `underway`: nothing yet, as what goes on may end well
 *     for 20                                     how many seconds nothing more happens, in place of 180 (underway: 5)
 *     pod phase=Running age=900 owner=ReplicaSet/web-7d9c ready | nopod    also node=, reason=, restartPolicy=, notready=-600
 *     spec|meta|status {…}                       YAML, merged into the pod
 *     cond TYPE STATUS REASON|- SECONDS message  instead of the condition that the kubelet would write; `nocond TYPE|*` takes it away
 *     container|init NAME {…}                    the spec; without any there is one container `app`; `nostatus`: the kubelet wrote none
 *       now|last running -5 | waiting REASON message | ended CODE REASON FROM..TO|- message
 *       restarts N | ready | started false
 *     event W|N REASON x5 -60..-5 @app|@init:NAME component on Kind/name: message
 *     object {…}                                 any other object
 *
 * Times are seconds from now, in YAML as T-60.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Raw = Readonly<Record<string, unknown>>;

export interface Situation {
  readonly title: string;
  readonly want: readonly string[];
  /** Of the pod, s. */
  readonly age: number;
  /** For how long nothing changes, s. */
  readonly lasts: number;
  /** As `kubectl get -o json` lists them. */
  readonly objects: readonly Raw[];
}

const POD = { apiVersion: 'v1', kind: 'Pod', name: 'web-7d9c-abcde', namespace: 'shop', uid: 'pod-1' };
const IMAGE = 'registry.example.com/shop/web:1';
/** What makes new-style Events: an Event of these has an eventTime and a series in place of a count. */
const NEW_STYLE = new Set(['default-scheduler']);

/** Longer than all graces but those that await something for minutes. */
const LASTS_S = 180;
const MOMENT_S = 5;

type At = (seconds: number) => string;

/** The situations of a file, with the times of their objects relative to `at(0)`. */
export const situationsOf = (url: URL, at: At): Situation[] => situationsIn(readFileSync(url, 'utf8'), at);

/** The situations of such a text. */
export function situationsIn(text: string, at: At): Situation[] {
  const blocks = text.split(/^== /m).slice(1);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.split('\n');
    return situationOf(
      title,
      lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')),
      at,
    );
  });
}

interface Draft {
  want: string[];
  lasts: number | undefined;
  pod: Map<string, string> | undefined;
  spec: Raw;
  meta: Raw;
  status: Raw;
  readonly conditions: Map<string, Raw>;
  readonly without: Set<string>;
  readonly containers: ContainerDraft[];
  readonly objects: Raw[];
}

interface ContainerDraft {
  readonly init: boolean;
  readonly name: string;
  readonly spec: Raw;
  now: Raw | undefined;
  last: Raw | undefined;
  restarts: number;
  ready: boolean;
  started: boolean | undefined;
}

function situationOf(title: string, lines: readonly string[], at: At): Situation {
  const draft: Draft = {
    want: [],
    lasts: undefined,
    pod: undefined,
    spec: {},
    meta: {},
    status: {},
    conditions: new Map(),
    without: new Set(),
    containers: [],
    objects: [],
  };
  for (const line of lines) {
    const [word = '', rest = ''] = split(line);
    const read = LINES[word];
    if (read === undefined) throw new Error(`${title}: ${line}`);
    read(draft, rest, at);
  }
  if (draft.want.length === 0) throw new Error(`${title}: nothing is wanted`);
  const lasts = draft.lasts ?? (draft.want.includes('underway') ? MOMENT_S : LASTS_S);
  return {
    title,
    want: draft.want,
    age: ageOf(draft.pod),
    lasts,
    objects: draft.pod === undefined ? draft.objects : [podOf(draft, draft.pod, at), ...draft.objects],
  };
}

/** The first word and the rest of a line. */
function split(line: string): [string, string] {
  const end = line.indexOf(' ');
  return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)];
}

const unescaped = (message: string): string => message.replaceAll('\\n', '\n');

const LINES: Readonly<Record<string, (draft: Draft, rest: string, at: At) => void>> = {
  want: (draft, rest) => {
    draft.want = rest.split(' or ');
  },
  for: (draft, rest) => {
    draft.lasts = Number(rest);
  },
  nopod: () => undefined,
  pod: (draft, rest) => {
    draft.pod = new Map(rest.split(' ').map((pair) => pair.split('=') as [string, string]));
  },
  spec: (draft, rest, at) => {
    draft.spec = { ...draft.spec, ...yaml(rest, at) };
  },
  meta: (draft, rest, at) => {
    draft.meta = { ...draft.meta, ...yaml(rest, at) };
  },
  status: (draft, rest, at) => {
    draft.status = { ...draft.status, ...yaml(rest, at) };
  },
  object: (draft, rest, at) => void draft.objects.push(yaml(rest, at)),
  nostatus: (draft) => void draft.without.add('containerStatuses'),
  nocond: (draft, rest) => void draft.without.add(rest),
  cond: (draft, rest, at) => {
    const [, type = '', status = '', reason = '', since = '', message = ''] = /^(\S+) (\S+) (\S+) (-\d+) ?(.*)$/.exec(rest) ?? [];
    const told = { ...(reason !== '-' && { reason }), ...(message !== '' && { message }) };
    draft.conditions.set(type, { type, status, ...told, lastTransitionTime: at(Number(since)) });
  },
  container: (draft, rest, at) => addContainer(draft, false, rest, at),
  init: (draft, rest, at) => addContainer(draft, true, rest, at),
  now: (draft, rest, at) => {
    lastOf(draft).now = stateOf(rest, at);
  },
  last: (draft, rest, at) => {
    lastOf(draft).last = stateOf(rest, at);
  },
  restarts: (draft, rest) => {
    lastOf(draft).restarts = Number(rest);
  },
  started: (draft, rest) => {
    lastOf(draft).started = rest === 'true';
  },
  ready: (draft) => {
    lastOf(draft).ready = true;
  },
  event: (draft, rest, at) => void draft.objects.push(eventOf(rest, draft.objects.length, at)),
};

/** YAML with T-60 for a time. */
function yaml(text: string, at: At): Raw {
  return parse(text.replace(/\bT([+-]\d+)\b/g, (_, seconds: string) => `"${at(Number(seconds))}"`)) as Raw;
}

function addContainer(draft: Draft, init: boolean, rest: string, at: At): void {
  const [name, spec] = split(rest);
  draft.containers.push({
    init,
    name,
    spec: spec === '' ? {} : yaml(spec, at),
    now: undefined,
    last: undefined,
    restarts: 0,
    ready: false,
    started: undefined,
  });
}

function lastOf(draft: Draft): ContainerDraft {
  if (draft.containers.length === 0) addContainer(draft, false, 'app', String);
  return draft.containers.at(-1)!;
}

function stateOf(text: string, at: At): Raw {
  const [word, rest] = split(text);
  if (word === 'running') return { running: { startedAt: at(Number(rest)) } };
  if (word === 'waiting') {
    const [reason, message] = split(rest);
    return { waiting: { reason, ...(message !== '' && { message: unescaped(message) }) } };
  }
  const [, code = '', reason = '', from = '', to = '', message = ''] = /^(\d+) (\S+) (?:(-\d+)\.\.(-\d+)|-) ?(.*)$/.exec(rest) ?? [];
  if (word !== 'ended' || code === '') throw new Error(`no state: ${text}`);
  const times = from === '' ? { startedAt: null, finishedAt: null } : { startedAt: at(Number(from)), finishedAt: at(Number(to)) };
  return { terminated: { exitCode: Number(code), reason, ...times, ...(message !== '' && { message: unescaped(message) }) } };
}

function eventOf(text: string, index: number, at: At): Raw {
  const colon = text.indexOf(': ');
  const [type = '', reason = '', ...words] = text.slice(0, colon).split(' ');
  const message = unescaped(text.slice(colon + 2));
  const about = words.includes('on') ? words[words.indexOf('on') + 1]!.split('/') : undefined;
  const container = words.find((word) => word.startsWith('@'))?.slice(1);
  const [first = '', last = first] = (words.find((word) => /^-\d/.test(word)) ?? '').split('..');
  const count = Number(words.find((word) => /^x\d+$/.test(word))?.slice(1) ?? 1);
  const component = words.find((word, i) => /^[a-z]/.test(word) && !/^x\d+$/.test(word) && word !== 'on' && words[i - 1] !== 'on') ?? 'kubelet';
  const path = container?.startsWith('init:') ? `spec.initContainers{${container.slice(5)}}` : `spec.containers{${container}}`;
  const ofPod = { apiVersion: 'v1', kind: POD.kind, namespace: POD.namespace, name: POD.name, uid: POD.uid, ...(container && { fieldPath: path }) };
  const micro = (seconds: string): string => at(Number(seconds)).replace('Z', '.000000Z');
  const when = NEW_STYLE.has(component)
    ? { eventTime: micro(first), reportingComponent: component, source: {}, ...(count > 1 && { series: { count, lastObservedTime: micro(last) } }) }
    : { firstTimestamp: at(Number(first)), lastTimestamp: at(Number(last)), count, source: { component } };
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e${index}`, namespace: POD.namespace, uid: `e${index}`, resourceVersion: String(100 + index), creationTimestamp: at(Number(first)) },
    involvedObject:
      about === undefined
        ? ofPod
        : { kind: about[0], name: about[1], uid: about[0] === 'Node' ? about[1] : `${about[0]}-1`, ...(about[0] !== 'Node' && { namespace: POD.namespace }) },
    type: type === 'W' ? 'Warning' : 'Normal',
    reason,
    message,
    ...when,
  };
}

function podOf(draft: Draft, head: ReadonlyMap<string, string>, at: At): Raw {
  if (draft.containers.length === 0) addContainer(draft, false, 'app', at);
  const age = ageOf(head);
  const node = head.get('node') ?? 'node-a';
  const specs = (init: boolean): Raw[] => draft.containers.filter((c) => c.init === init).map(({ name, spec }) => ({ name, image: IMAGE, ...spec }));
  const bound = node !== 'none';
  return {
    apiVersion: POD.apiVersion,
    kind: POD.kind,
    metadata: {
      name: POD.name,
      namespace: POD.namespace,
      uid: POD.uid,
      resourceVersion: '1',
      creationTimestamp: at(-age),
      ...(head.has('owner') && { ownerReferences: [ownerOf(head.get('owner')!)] }),
      ...draft.meta,
    },
    spec: {
      restartPolicy: head.get('restartPolicy') ?? 'Always',
      ...(bound && { nodeName: node }),
      ...(specs(true).length > 0 && { initContainers: specs(true) }),
      containers: specs(false),
      ...draft.spec,
    },
    status: statusOf(draft, head, age, bound, at),
  };
}

const ageOf = (head: ReadonlyMap<string, string> | undefined): number => Number(head?.get('age') ?? 900);

function ownerOf(text: string): Raw {
  const [kind, name] = text.split('/');
  const apiVersion = kind === 'Job' ? 'batch/v1' : kind === 'Node' ? 'v1' : 'apps/v1';
  return { apiVersion, kind, name, uid: `${kind}-1`, controller: true };
}

function statusOf(draft: Draft, head: ReadonlyMap<string, string>, age: number, bound: boolean, at: At): Raw {
  const phase = head.get('phase') ?? 'Running';
  const told = bound && !draft.without.has('containerStatuses');
  const all = draft.containers.map((c) => ({ init: c.init, status: containerStatusOf(c, phase, age, head.has('ready'), at) }));
  const statuses = (init: boolean): Raw[] => all.filter((c) => c.init === init).map((c) => c.status);
  return {
    phase,
    ...(head.has('reason') && { reason: head.get('reason') }),
    ...(bound && { startTime: at(1 - age) }),
    ...(!draft.without.has('*') && { conditions: conditionsOf(draft, head, age, bound, at, statuses(true), statuses(false)) }),
    ...(told && { containerStatuses: statuses(false), ...(statuses(true).length > 0 && { initContainerStatuses: statuses(true) }) }),
    ...draft.status,
  };
}

function containerStatusOf(c: ContainerDraft, phase: string, age: number, podReady: boolean, at: At): Raw {
  const image = (c.spec['image'] as string | undefined) ?? IMAGE;
  const running = c.now === undefined ? phase === 'Running' : 'running' in c.now;
  const state = c.now ?? (running ? { running: { startedAt: at(2 - age) } } : { waiting: { reason: 'ContainerCreating' } });
  const done = c.init && (c.now as { terminated?: { exitCode: number } } | undefined)?.terminated?.exitCode === 0;
  return {
    name: c.name,
    image,
    imageID: '',
    state,
    lastState: c.last ?? {},
    ready: c.ready || done || (podReady && running),
    restartCount: c.restarts,
    started: c.started ?? running,
  };
}

/** The conditions that the kubelet derives from the containers, unless the situation gives them. */
function conditionsOf(
  draft: Draft,
  head: ReadonlyMap<string, string>,
  age: number,
  bound: boolean,
  at: At,
  inits: readonly Raw[],
  apps: readonly Raw[],
): Raw[] {
  const names = (statuses: readonly Raw[]): string => statuses.map((s) => s['name']).join(' ');
  const unready = apps.filter((s) => s['ready'] !== true);
  // Once a container of the app has run, the pod stays initialised.
  const hasStarted = apps.some((s) => s['started'] === true || (s['restartCount'] as number) > 0);
  const isSidecar = (status: Raw): boolean => draft.containers.some((c) => c.name === status['name'] && c.spec['restartPolicy'] === 'Always');
  const incomplete = hasStarted ? [] : inits.filter((s) => s['ready'] !== true && !(isSidecar(s) && s['started'] === true));
  const ended = { Succeeded: 'PodCompleted', Failed: 'PodFailed' }[head.get('phase') ?? ''];
  const since = head.has('notready') ? Number(head.get('notready')) : 2 - age;
  const of = (type: string, bad: readonly Raw[], reason: string, message: string): Raw =>
    bad.length === 0 && ended === undefined
      ? { type, status: 'True', lastTransitionTime: at(2 - age) }
      : { type, status: 'False', reason: ended ?? reason, ...(ended === undefined && { message }), lastTransitionTime: at(since) };
  const unreadyText = `containers with unready status: [${names(unready)}]`;
  const derived: Raw[] = [
    ...(bound
      ? [
          incomplete.length > 0
            ? {
                type: 'Initialized',
                status: 'False',
                reason: 'ContainersNotInitialized',
                message: `containers with incomplete status: [${names(incomplete)}]`,
                lastTransitionTime: at(1 - age),
              }
            : { type: 'Initialized', status: 'True', lastTransitionTime: at(2 - age) },
          of('Ready', unready, 'ContainersNotReady', unreadyText),
          of('ContainersReady', unready, 'ContainersNotReady', unreadyText),
        ]
      : []),
    { type: 'PodScheduled', status: bound ? 'True' : 'False', lastTransitionTime: at(1 - age) },
  ];
  const kept = derived.filter((c) => !draft.conditions.has(c['type'] as string) && !draft.without.has(c['type'] as string));
  return [...kept, ...draft.conditions.values()];
}
