/** How long the pods that a workload has now took to become ready: what a probe has to wait for. */
import { allowedStartMs } from './parameter-checks.ts';
import type { PodFacts } from './pod-facts.ts';
import { listOf } from './reading.ts';

/**
 * By container the shortest time from start to ready, ms, over pods that never restarted: the shortest, since readiness that came back
 * later looks like a slow start. Pods of several containers are ready with the slowest of them, so they say nothing about one.
 */
export function startupTimes(pods: readonly PodFacts[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { pod } of pods) {
    const [container, ...more] = listOf(pod.spec.containers);
    const status = listOf(pod.status.containerStatuses).find(({ name }) => name === container?.name);
    const ready = listOf(pod.status.conditions).find(({ type, status: state }) => type === 'Ready' && state === 'True');
    if (container === undefined || more.length > 0 || status?.state?.running === undefined || (status.restartCount ?? 0) > 0) continue;
    const tookMs = Date.parse(ready?.lastTransitionTime ?? '') - Date.parse(status.state.running.startedAt ?? '');
    // Its own probe would have killed it by then, so it was ready earlier.
    if (!(tookMs >= 0) || tookMs > (allowedStartMs(container) ?? Number.POSITIVE_INFINITY)) continue;
    times.set(container.name, Math.min(tookMs, times.get(container.name) ?? Number.POSITIVE_INFINITY));
  }
  return times;
}
