/** The checks that podtrail's own memory decides. The caller looks up what it knows; nothing known is `unknown`, never `pass`. */
import type { Pod } from '../../collector/objects.ts';
import type { CheckResult } from './check.ts';
import { failed, passed, unknown, warned } from './check.ts';
import { parseQuantity } from './quantity.ts';
import { fieldsOf, listOf, textOf } from './reading.ts';
import type { SchedulingState } from './scheduling-state.ts';

/** A failure of an image, or of its registry, somewhere in the fleet. */
export interface ImageFailure {
  readonly image: string;
  /** The same image, or another one of the same registry. */
  readonly same: 'image' | 'registry';
  /** Catalogue cause, e.g. `registry_auth`. */
  readonly cause: string;
  readonly cluster: string;
  /** RFC 3339. */
  readonly lastTime: string;
  readonly incidents: number;
  readonly open: boolean;
}

/** What has been seen of one container of this workload. */
export interface ContainerPast {
  readonly container: string;
  /** Memory limits, as quantities, at which it was killed for memory. */
  readonly oomAtLimits: readonly string[];
  /** Probe kinds that timed out or killed it, with how often. */
  readonly probeFailures: readonly { readonly probe: string; readonly cause: string; readonly incidents: number }[];
}

/** Everything is optional: absent means that podtrail cannot say. */
export interface Knowledge {
  /** Failures of these images or their registries in the last weeks. */
  imageFailures?(images: readonly string[]): readonly ImageFailure[];
  containerPast?(kind: string, namespace: string, name: string): readonly ContainerPast[];
  /** One line for each open incident of the cluster that concerns nodes or this namespace. */
  openIncidents?(namespace: string): readonly string[];
  /** What podtrail does not see now, and why. */
  readonly blind?: readonly string[];
}

export function checkImageHistory(pod: Pod, knowledge: Knowledge): CheckResult {
  if (knowledge.imageFailures === undefined) return unknown('image_history', 'no history of this fleet is at hand');
  const containers = [...listOf(pod.spec.initContainers), ...listOf(pod.spec.containers)];
  const images = [...new Set(containers.flatMap(({ image }) => textOf(image) ?? []))];
  const failures = knowledge.imageFailures(images);
  if (failures.length === 0) return passed('image_history', `no pull of ${images.join(', ')} is known to have failed`);
  const details = failures.map(
    ({ image, same, cause, cluster, lastTime, incidents, open }) =>
      `${image} (${same === 'image' ? 'this image' : 'same registry'}): ${cause}, ${incidents} incidents in ${cluster}, last ${lastTime}${open ? ', open' : ''}`,
  );
  const own = failures.filter(({ same }) => same === 'image');
  const open = own.some((failure) => failure.open);
  const reason = own.length > 0 ? 'pulling this image has failed before' : 'pulls from this registry have failed before';
  return open
    ? failed('image_history', `${reason} and does so now`, 'correct the image or its access first', details)
    : warned('image_history', reason, 'check that what failed then is repaired', details);
}

export function checkContainerHistory(pod: Pod, past: readonly ContainerPast[] | undefined): CheckResult {
  if (past === undefined) return unknown('container_history', 'no history of this workload is at hand');
  const details: string[] = [];
  let fix = '';
  for (const { container, oomAtLimits, probeFailures } of past) {
    const spec = [...listOf(pod.spec.initContainers), ...listOf(pod.spec.containers)].find(({ name }) => name === container);
    const limit = fieldsOf(fieldsOf(spec?.resources)?.['limits'])?.['memory'];
    const killedAt = oomAtLimits.filter((each) => isAtMost(limit, each));
    if (killedAt.length > 0) {
      details.push(`container ${container} was killed for memory at a limit of ${killedAt.at(-1)}; the limit is ${String(limit)}`);
      fix ||= 'raise the memory limit above what it was killed at';
    }
    for (const { probe, cause, incidents } of probeFailures) {
      if (fieldsOf(fieldsOf(spec)?.[`${probe}Probe`]) === undefined) continue;
      details.push(`the ${probe} probe of container ${container} failed before: ${cause}, ${incidents} incidents`);
      fix ||= `give the ${probe} probe more time`;
    }
  }
  const [first] = details;
  return first === undefined ? passed('container_history', 'nothing is known against its containers') : warned('container_history', first, fix, details);
}

/** Without a limit nothing is at most anything. */
function isAtMost(limit: unknown, bound: string): boolean {
  const [own, killed] = [parseQuantity(limit), parseQuantity(bound)];
  return own.ok && killed.ok && own.nano <= killed.nano;
}

export function checkClusterHealth(namespace: string, state: SchedulingState, knowledge: Knowledge): CheckResult {
  const out = state.nodes.filter(({ exclusion }) => exclusion === 'not_ready');
  const details = [
    ...out.map(({ name }) => `node ${name} is not ready`),
    ...(knowledge.openIncidents?.(namespace) ?? []).map((incident) => `open: ${incident}`),
    ...(knowledge.blind ?? []).map((blind) => `not seen: ${blind}`),
  ];
  if (state.nodes.length === 0) return failed('cluster_health', 'the cluster has no nodes', 'add nodes');
  if (out.length === state.nodes.length) return failed('cluster_health', 'no node is ready', 'see the nodes', details);
  if (details.length > 0)
    return warned('cluster_health', details.length === 1 ? (details[0] ?? '') : `${details[0]}, and ${details.length - 1} more`, 'see the details', details);
  if (knowledge.openIncidents === undefined) return unknown('cluster_health', `${state.nodes.length} nodes are ready; incidents are not known`);
  return passed('cluster_health', `${state.nodes.length} nodes, none not ready, and no open incident`);
}
