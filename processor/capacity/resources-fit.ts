/** NodeResourcesFit. Follows fitsRequest of pkg/scheduler/framework/plugins/noderesources/fit.go (v1.34): every short resource is a reason. */
import { amountOf, CPU, EPHEMERAL_STORAGE, MEMORY } from './amounts.ts';
import type { Filter, FilterFailure } from './filter.ts';
import { PASSED } from './filter.ts';
import type { PodFacts } from './pod-facts.ts';
import { compareText } from './reading.ts';
import type { NodeState } from './scheduling-state.ts';

const PLUGIN = 'NodeResourcesFit';
const TOO_MANY_PODS: FilterFailure = { plugin: PLUGIN, reason: 'Too many pods', resource: 'pods' };

export function createResourcesFit(pod: PodFacts): Filter {
  const { amounts } = pod.request;
  const scalars = [...(amounts.scalars?.keys() ?? [])].sort(compareText);
  const needed = [CPU, MEMORY, EPHEMERAL_STORAGE, ...scalars]
    .map((resource) => ({ resource, amount: amountOf(amounts, resource), failure: { plugin: PLUGIN, reason: `Insufficient ${resource}`, resource } }))
    .filter(({ amount }) => amount > 0);
  const check = (node: NodeState): readonly FilterFailure[] => {
    const short = needed.filter(({ resource, amount }) => amount > amountOf(node.allocatable, resource) - amountOf(node.requested, resource));
    const full = node.requested.pods + 1 > node.allocatable.pods;
    if (short.length === 0 && !full) return PASSED;
    const failures = short.map(({ failure }) => failure);
    return full ? [TOO_MANY_PODS, ...failures] : failures;
  };
  return { plugin: PLUGIN, check };
}
