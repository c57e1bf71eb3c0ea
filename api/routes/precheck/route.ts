/** POST /v1/precheck: by the state of the cluster and the past of the fleet. */
import { z } from 'zod';
import type { FleetPast } from '../../../processor/precheck-knowledge.ts';
import { problemResponsesOfOne } from '../../problem.ts';
import { defineQuery, epochMs, integer } from '../../store.ts';
import { formatTime } from '../../time-range.ts';
import type { App, RouteDeps } from '../deps.ts';
import { expectAnswer, originOf } from '../state-answer.ts';
import type { PrecheckBody, PrecheckJson } from './schema.ts';
import { buildVerdict, MAX_MANIFESTS, precheckBody, precheckResponse } from './schema.ts';

const pullsQuery = defineQuery(
  import.meta.url,
  './pulls.sql',
  z.object({ image: z.string(), registry: z.string(), cause: z.string(), cluster: z.string(), last_ms: epochMs, incidents: integer, is_open: integer }),
);
const containersQuery = defineQuery(
  import.meta.url,
  './containers.sql',
  z.object({
    ...{ kind: z.string(), namespace: z.string(), name: z.string(), container: z.string() },
    ...{ scenario: z.string(), cause: z.string(), incidents: integer, memory_limits: z.array(z.string()) },
  }),
);
const openQuery = defineQuery(
  import.meta.url,
  './open.sql',
  z.object({ kind: z.string(), namespace: z.string(), scenario: z.string(), cause: z.string(), summary: z.string() }),
);

/** What a pre-check remembers: long enough for a release cycle, ms. */
const MEMORY_MS = 30 * 86_400_000;
/** Rows of one kind: the latest, or the most frequent. */
const MAX_ROWS = 5_000;

async function pastOf(deps: RouteDeps, cluster: string, signal: AbortSignal): Promise<FleetPast> {
  const about = { from: deps.now() - MEMORY_MS, limit: MAX_ROWS };
  const [pulls, containers, open] = await Promise.all([
    deps.store.rows(pullsQuery, about, signal),
    deps.store.rows(containersQuery, { ...about, cluster }, signal),
    deps.store.rows(openQuery, { ...about, cluster }, signal),
  ]);
  return {
    pulls: pulls.map(({ last_ms, is_open, ...row }) => ({ ...row, lastTime: formatTime(last_ms), open: is_open === 1 })),
    containers: containers.map(({ memory_limits, ...row }) => ({ ...row, memoryLimits: memory_limits.filter((limit) => limit !== '') })),
    open: open.map(({ kind, namespace, scenario, cause, summary }) => ({ kind, namespace, text: `${scenario}/${cause}: ${summary}` })),
  };
}

async function precheck(deps: RouteDeps, { cluster, manifests, replicas, namespace }: PrecheckBody, signal: AbortSignal): Promise<PrecheckJson> {
  const past = await pastOf(deps, cluster, signal);
  const options = { ...(replicas !== undefined && { replicas }), ...(namespace !== undefined && { namespace }) };
  const answered = await expectAnswer(deps.capacity?.precheck(cluster, manifests, past, options), 'precheck');
  return { cluster, ...originOf(answered), ...buildVerdict(answered.answer) };
}

/** Registers the route. */
export function registerPrecheck(app: App, deps: RouteDeps): void {
  app.post(
    '/v1/precheck',
    {
      bodyLimit: Math.max(deps.config.bodyLimitBytes, 2 * MAX_MANIFESTS),
      schema: {
        operationId: 'precheck',
        tags: ['capacity'],
        summary: 'Would these manifests run on this cluster, and if not, why and what would help',
        description: 'Changes nothing, and does not touch the cluster: podtrail knows its state.',
        body: precheckBody,
        response: { 200: precheckResponse, ...problemResponsesOfOne },
      },
    },
    (request) => precheck(deps, request.body, request.signal),
  );
}
