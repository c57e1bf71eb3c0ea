/**
 * Why there is an incident about a pod, or why not: what every scenario says of it now, what is pending, muted, explained otherwise, and
 * what podtrail cannot see. For any pod, healthy ones too.
 */
import type { Pod } from '../../collector/objects.ts';
import { disruptionOf } from '../scenarios/disruption.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import type { Evidence, Scenario, ScenarioId, Signal } from '../scenarios/scenario.ts';
import { isAwaited } from './coverage.ts';
import { incidentKey } from './incident.ts';
import { ask, reasonOf, sourceView } from './judge.ts';
import { explainingNode } from './node-incidents.ts';
import { podStatusText } from './pod-row.ts';
import { ruling } from './rules-config.ts';
import type { ClusterState } from './state.ts';
import { nameKey } from './state.ts';
import { byCodeUnit } from './tables.ts';
import { createView } from './view.ts';
import { workloadOf } from './workload.ts';

/** How a scenario stands with a pod. */
export type Verdict = 'no_signal' | 'below_threshold' | 'pending' | 'member' | 'explained_by_node' | 'disabled' | 'not_judged' | 'opens_next' | 'failed';

export interface ScenarioWhy {
  readonly scenario: ScenarioId;
  readonly verdict: Verdict;
  /** One line: what it sees, or why it was not asked. */
  readonly text: string;
  readonly cause?: string;
  readonly confidence?: string;
  readonly summary?: string;
  readonly evidence?: readonly Evidence[];
  /** Of a pending signal: seconds until it opens an incident if nothing changes. */
  readonly opensInSeconds?: number;
  readonly incident?: string;
  readonly muted?: string;
}
export interface Why {
  readonly cluster: string;
  /** Stream time of the state that was asked, epoch ms. */
  readonly asOfMs: number;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string; readonly status: string; readonly node: string };
  readonly workload: { readonly kind: string; readonly name: string };
  readonly scenarios: readonly ScenarioWhy[];
  readonly disruption: { readonly reason: string; readonly message: string } | null;
  /** What podtrail does not see now, and why. */
  readonly blind: readonly { readonly resource: string; readonly sinceMs: number; readonly reason: string; readonly uncollectable: boolean }[];
}

/** Answers for a pod by uid or by name; undefined if there is none. */
export function whyPod(state: ClusterState, namespace: string, nameOrUid: string): Why | undefined {
  const uid = state.tables.objects.pods.has(nameOrUid) ? nameOrUid : state.indexes.byName.pods.get(nameKey(namespace, nameOrUid)).at(-1);
  const pod = uid === undefined ? undefined : (state.tables.objects.pods.get(uid)?.object as Pod | undefined);
  if (uid === undefined || pod === undefined) return undefined;
  const disruption = disruptionOf(pod, state.tables.events.get(uid) ?? []);
  const { kind, name } = workloadOf(state, pod);
  return {
    cluster: state.cluster.name,
    asOfMs: state.meta.streamTimeMs,
    pod: { namespace: pod.metadata.namespace, name: pod.metadata.name, uid, status: podStatusText(pod), node: pod.spec.nodeName ?? '' },
    workload: { kind, name },
    scenarios: SCENARIOS.filter((scenario) => scenario.pod !== undefined).flatMap((scenario) => whyScenario(state, pod, scenario)),
    disruption: disruption === undefined ? null : { reason: disruption.reason, message: disruption.message },
    blind: blindness(state),
  };
}

/** What podtrail does not see of a cluster now. */
export function blindness(state: ClusterState): Why['blind'] {
  return Object.keys(state.meta.sync)
    .sort(byCodeUnit)
    .flatMap((resource) => {
      const sync = state.meta.sync[resource];
      if (sync === undefined || sync.inSync) return [];
      return [{ resource, sinceMs: sync.blindFromMs, reason: sync.reason, uncollectable: sync.uncollectable }];
    });
}

function whyScenario(state: ClusterState, pod: Pod, scenario: Scenario): ScenarioWhy[] {
  const awaited = scenario.reads.filter((resource) => isAwaited(state, resource));
  if (awaited.length > 0) return [{ scenario: scenario.id, verdict: 'not_judged', text: `waits until podtrail sees ${awaited.join(', ')}` }];
  const target = { cluster: state.cluster.name, namespace: pod.metadata.namespace, workload: workloadOf(state, pod), scenario: scenario.id };
  const off = ruling(state.meta.rules, target, state.meta.streamTimeMs);
  if (off?.kind === 'disabled') return [{ scenario: scenario.id, verdict: 'disabled', text: `disabled by the rules: ${off.reason}` }];
  const source = { kind: 'pod', uid: pod.metadata.uid, object: pod } as const;
  let signals: readonly Signal[];
  try {
    signals = ask(state, scenario, sourceView(state, { ...createView(state), isSnapshot: true }, source), source);
  } catch (error) {
    // As when the engine judges (design D10): the others still answer.
    return [{ scenario: scenario.id, verdict: 'failed', text: `its rule failed (${reasonOf(error)}): no answer, and a dead letter when it was judged` }];
  }
  if (signals.length === 0) return [{ scenario: scenario.id, verdict: 'no_signal', text: 'sees nothing wrong' }];
  return signals.map((signal) => {
    const node = explainingNode(state, source, signal);
    const mute = ruling(state.meta.rules, { ...target, cause: signal.cause }, state.meta.streamTimeMs);
    const { cause, confidence, summary, evidence } = signal;
    const standing =
      node !== undefined
        ? { verdict: 'explained_by_node' as const, text: `explained by incident ${node.id} of Node ${node.subject.name}` }
        : stand(state, pod, signal);
    return { scenario: scenario.id, ...standing, cause, confidence, summary, evidence, ...(mute?.kind === 'muted' && { muted: mute.reason }) };
  });
}

/** Where a signal stands: in an incident, on its way to one, or too weak for one. */
function stand(state: ClusterState, pod: Pod, signal: Signal): Pick<ScenarioWhy, 'verdict' | 'text' | 'incident' | 'opensInSeconds'> {
  const membership = state.tables.sources.get(pod.metadata.uid)?.memberOf[incidentKey(signal.track, signal.subject)];
  const incident = membership && state.tables.incidents.get(membership.id);
  if (incident !== undefined) {
    const as = incident.scenario === signal.scenario ? '' : `, which is told as ${incident.scenario}/${incident.cause}`;
    return { verdict: 'member', text: `member of ${incident.state} incident ${incident.id}${as}`, incident: incident.id };
  }
  if (signal.dueTimeMs === undefined) return { verdict: 'below_threshold', text: 'wrong now, but below the threshold' };
  const opensInSeconds = Math.ceil((signal.dueTimeMs - state.meta.streamTimeMs) / 1_000);
  if (opensInSeconds <= 0) return { verdict: 'opens_next', text: 'opens with the next record' };
  return { verdict: 'pending', text: `opens in ${opensInSeconds} s if nothing changes`, opensInSeconds };
}
