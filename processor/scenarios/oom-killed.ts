/**
 * Opens when: a container ended as OOMKilled, or by SIGKILL while its node reported that it ran out of memory as a whole.
 * Updates when: it happens again; the cause follows what the node and the limits say then.
 * Resolves when: the container has run without a break for `recoverRunningMs`.
 * Thresholds: none, at once (design §4); a SystemOOM Event counts within 60 s (signals.md §11)
 *   and two other workloads of the node killed within 10 s.
 * Cannot see: how much memory was used; a helper process killed while PID 1 lived on shows only when the container ends.
 */
import type { Container, Node, Pod } from '../../collector/objects.ts';
import { parseQuantity } from '../capacity/quantity.ts';
import { conditionOf, conditionTimeMs, isTerminal, timeOf } from './conditions.ts';
import { crashFlags } from './crash-flags.ts';
import { eventEvidence, fieldEvidence, nameOf, subjectText, tableEvidence } from './evidence.ts';
import { describeExit } from './exit-codes.ts';
import { deletionRequestedMs, systemOomNear } from './run-end.ts';
import type { RunStory } from './run-signal.ts';
import { buildRunSignal, endedMs, isInitialized, restartsText, RUN_RANK, runEvidence, storiesOf } from './run-signal.ts';
import type { Confidence, Evidence, FinishedRun, PodView, Scenario, Signal } from './scenario.ts';

/** Containers of other pods of the node that were OOM-killed this near died together with it. */
const TOGETHER_MS = 10_000;
/** The kubelet notices memory pressure up to this late: its eviction loop runs every 10 s, status goes out every 10 s (signals.md §18). */
const PRESSURE_LAG_MS = 60_000;
/** A new ReplicaSet and its first pod are dated by one clock, in whole seconds. */
const ROLLOUT_SLACK_MS = 1_000;
/** As many others make it the node's memory. */
const TOGETHER_PODS = 2;

export const oomKilled: Scenario = {
  id: 'oom_killed',
  reads: ['pods', 'nodes'],
  concerns: ({ ran }) => ran,
  pod: (view) => storiesOf(view).flatMap((story) => oomSignal(view, story)),
};

interface OomCause {
  readonly cause: 'container_limit' | 'node_memory';
  readonly detail: '' | 'limit_lowered' | 'child_process';
  readonly confidence: Confidence;
  readonly evidence: readonly Evidence[];
}

function oomSignal(view: PodView, story: RunStory): readonly Signal[] {
  const { container, run, end, subject } = story;
  if (end.kind !== 'oom' || view.pod.status.reason === 'Evicted') return [];
  if (container.kind === 'init' || (container.kind === 'sidecar' && !isInitialized(view))) return [];
  const { evidence, ...found } = oomCause(view, story);
  const crash = crashFlags(view, story);
  const limit = memoryLimit(view.pod, container.spec);
  const node = view.pod.spec.nodeName ?? '';
  const who = found.detail === 'child_process' ? `a process in ${subjectText(subject)}` : subjectText(subject);
  const why = found.cause === 'node_memory' ? `because node ${node} ran out of memory` : `at its memory limit${limit === undefined ? '' : ` of ${limit.text}`}`;
  return [
    buildRunSignal(view, story, {
      scenario: 'oom_killed',
      ...found,
      flags: crash.flags,
      rank: RUN_RANK.oom,
      dueTimeMs: endedMs(view, run),
      summary: `${who} was OOM-killed ${why} (${describeExit(run.exitCode, run.reason)}${restartsText(container)})`,
      evidence: [...runEvidence(view, story), ...evidence, ...crash.evidence],
      ...(found.cause === 'node_memory' && { shared: { node } }),
    }),
  ];
}

/** The table of signals.md §11: what the node says first, then whether there is a limit to run into. */
export function oomCause(view: PodView, { container, run }: RunStory): OomCause {
  const { pod } = view;
  const node = view.node(pod.spec.nodeName ?? '');
  const limit = memoryLimit(pod, container.spec);
  const systemOom = systemOomNear(view, run);
  if (systemOom !== undefined)
    return {
      cause: 'node_memory',
      detail: '',
      confidence: limit === undefined ? 'certain' : 'likely',
      evidence:
        node === undefined
          ? [{ ...eventEvidence(pod, systemOom), object: `Node ${pod.spec.nodeName ?? ''}` }]
          : [eventEvidence(node, systemOom), ...overcommit(view, node)],
    };
  const pressure = node && conditionOf(node, 'MemoryPressure');
  if (node !== undefined && pressure?.status === 'True' && (conditionTimeMs(pressure) ?? 0) <= run.finishedTimeMs + PRESSURE_LAG_MS)
    return {
      cause: 'node_memory',
      detail: '',
      confidence: 'likely',
      evidence: [fieldEvidence(node, 'status.conditions[MemoryPressure].status', 'True'), ...overcommit(view, node)],
    };
  const others = node === undefined ? [] : killedTogether(view, run);
  if (node !== undefined && others.length >= TOGETHER_PODS)
    return {
      cause: 'node_memory',
      detail: '',
      confidence: 'likely',
      evidence: [tableEvidence(node, 'OOM-killed on this node within 10 s', others.join(', ')), ...overcommit(view, node)],
    };
  if (limit === undefined)
    return {
      cause: 'node_memory',
      detail: '',
      confidence: 'likely',
      evidence: [tableEvidence(pod, `memory limit of container ${container.name}`, 'none'), ...(node ? overcommit(view, node) : [])],
    };
  const evidence = [fieldEvidence(pod, limit.path, limit.text)];
  // The runtime stamps the reason on whatever exit comes after a helper process was killed.
  if (run.exitCode !== 137 || run.finishedTimeMs >= (deletionRequestedMs(view) ?? Number.POSITIVE_INFINITY))
    return { cause: 'container_limit', detail: 'child_process', confidence: 'likely', evidence };
  const before = higherLimitBefore(view, container.name, limit.nano);
  if (before === undefined) return { cause: 'container_limit', detail: '', confidence: 'certain', evidence };
  return {
    cause: 'container_limit',
    detail: 'limit_lowered',
    confidence: 'certain',
    evidence: [...evidence, before],
  };
}

interface Limit {
  readonly text: string;
  readonly nano: bigint;
  readonly path: string;
}

/** The container's memory limit, else that of the pod (pod-level resources, since 1.34). */
function memoryLimit(pod: Pod, container: Container | undefined): Limit | undefined {
  const own = container?.resources?.limits?.['memory'];
  const text = own ?? pod.spec.resources?.limits?.['memory'];
  const parsed = parseQuantity(text);
  if (text === undefined || !parsed.ok || parsed.nano <= 0n) return undefined;
  return {
    text,
    nano: parsed.nano,
    path: own === undefined ? 'spec.resources.limits.memory' : `spec.containers[${container?.name ?? ''}].resources.limits.memory`,
  };
}

/** That the container of this name could use more memory before: by a change of the template before this pod, or by an older pod. */
function higherLimitBefore(view: PodView, name: string, nano: bigint): Evidence | undefined {
  const ours = view.workloadOf(view.pod);
  const bornMs = timeOf(view.pod.metadata.creationTimestamp) ?? 0;
  for (const pod of view.podsIn(view.pod.metadata.namespace)) {
    if ((timeOf(pod.metadata.creationTimestamp) ?? 0) >= bornMs) continue;
    const theirs = view.workloadOf(pod);
    if (theirs.kind !== ours.kind || theirs.name !== ours.name) continue;
    const limit = memoryLimit(
      pod,
      pod.spec.containers.find((container) => container.name === name),
    );
    if (limit !== undefined && limit.nano > nano) return tableEvidence(pod, `memory limit of container ${name}`, limit.text);
  }
  const path = `containers[${name}].resources.limits.memory`;
  const rollout = view.changesOf?.(ours).findLast(({ kind, timeMs }) => kind === 'rollout' && timeMs <= bornMs + ROLLOUT_SLACK_MS);
  const lowered = rollout?.diff?.find((change) => change.path === path);
  const before = parseQuantity(lowered?.before);
  if (rollout === undefined || lowered === undefined || !before.ok || before.nano <= nano) return undefined;
  return { kind: 'table', object: `${ours.kind} ${ours.namespace}/${ours.name}`, path, value: `${lowered.before} → ${lowered.after}`, timeMs: rollout.timeMs };
}

/** Other pods of the node with a container that was OOM-killed about when this run ended. */
function killedTogether(view: PodView, run: FinishedRun): readonly string[] {
  const names: string[] = [];
  for (const pod of view.podsOnNode(view.pod.spec.nodeName ?? '')) {
    if (pod.metadata.uid === view.pod.metadata.uid) continue;
    const ends = (pod.status.containerStatuses ?? []).flatMap(({ state, lastState }) => [state?.terminated, lastState?.terminated]);
    const together = ends.some((end) => end?.reason === 'OOMKilled' && Math.abs((timeOf(end.finishedAt) ?? 0) - run.finishedTimeMs) <= TOGETHER_MS);
    if (together && !sameWorkload(view, pod)) names.push(nameOf(pod));
  }
  return names;
}

function sameWorkload(view: PodView, pod: Pod): boolean {
  const ours = view.workloadOf(view.pod);
  const theirs = view.workloadOf(pod);
  return ours.kind === theirs.kind && ours.namespace === theirs.namespace && ours.name === theirs.name;
}

const GIBI_NANO = 2n ** 30n * 1_000_000_000n;
const gibiText = (nano: bigint): string => `${(Number((nano * 10n) / GIBI_NANO) / 10).toFixed(1)}Gi`;

/** Sum of the memory limits of the node's pods over what it can give: how far it is overcommitted. */
function overcommit(view: PodView, node: Node): readonly Evidence[] {
  const allocatable = parseQuantity(node.status.allocatable?.['memory']);
  if (!allocatable.ok || allocatable.nano <= 0n) return [];
  let sum = 0n;
  let unlimited = 0;
  for (const pod of view.podsOnNode(node.metadata.name)) {
    if (isTerminal(pod)) continue;
    for (const container of pod.spec.containers) {
      const limit = parseQuantity(container.resources?.limits?.['memory']);
      if (limit.ok) sum += limit.nano;
      else unlimited++;
    }
  }
  const percent = Number((sum * 100n) / allocatable.nano);
  const without = unlimited === 0 ? '' : `, and ${unlimited} containers without a limit`;
  return [tableEvidence(node, 'memory limits over allocatable', `${gibiText(sum)} of ${gibiText(allocatable.nano)} (${percent} %)${without}`)];
}
