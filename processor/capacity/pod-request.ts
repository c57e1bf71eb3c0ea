/**
 * The effective request of a pod in the scheduler's integers: what it sets aside on a node. Follows CalculateResource of
 * pkg/scheduler/framework/types.go (v1.34); sums are exact and rounded up once per pod.
 */
import type { Pod } from '../../collector/objects.ts';
import type { Amounts, QuantityProblem } from './amounts.ts';
import { CPU, MEMORY, noAmounts, setAmount, unitsOf } from './amounts.ts';
import { fieldsOf, listOf } from './reading.ts';
import { requestTotals } from './resource-totals.ts';

export interface PodRequest {
  /** What is compared with a node's free space; pods is always 1. */
  readonly amounts: Amounts;
  /** cpu and memory with 100m and 200 MiB for each container that names none: used to score nodes, never to filter them. */
  readonly scoredCpu: number;
  readonly scoredMemory: number;
  readonly problems: readonly QuantityProblem[];
}

/** Computes the effective request. Never throws: bad quantities count 0 and are listed in `problems`. */
export function podRequest(pod: Pod): PodRequest {
  const problems: QuantityProblem[] = [];
  const requests = requestTotals(pod, problems);
  const scored = namesAll(pod) ? requests : requestTotals(pod, [], true);
  const amounts = noAmounts();
  for (const [resource, nano] of requests) if (nano > 0n) setAmount(amounts, resource, unitsOf(resource, nano));
  amounts.pods = 1;
  return {
    amounts,
    scoredCpu: unitsOf(CPU, scored.get(CPU) ?? 0n),
    scoredMemory: unitsOf(MEMORY, scored.get(MEMORY) ?? 0n),
    problems,
  };
}

function namesAll(pod: Pod): boolean {
  return [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)].every((container) => {
    const requests = fieldsOf(fieldsOf(container.resources)?.['requests']);
    return requests?.[CPU] !== undefined && requests[MEMORY] !== undefined;
  });
}
