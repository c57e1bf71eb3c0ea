/** GET /v1/why. It asks the rules, not the store: the composition root says where the state is. */
import type { z } from 'zod';
import { StoreError } from '../../../sql/errors.ts';
import { ApiError } from '../../errors.ts';
import { problemResponsesOfOne } from '../../problem.ts';
import { toApiError } from '../../store.ts';
import type { App, RouteDeps } from '../deps.ts';
import type { WhyJson } from './schema.ts';
import { buildWhy, whyQuery, whyResponse } from './schema.ts';

async function whyOf(deps: RouteDeps, { cluster, namespace, pod }: z.output<typeof whyQuery>): Promise<WhyJson> {
  if (deps.why === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'this process has no state to ask');
  const answer = await deps.why(cluster, namespace, pod).catch((error: unknown) => {
    throw error instanceof StoreError ? toApiError('why', error) : error;
  });
  switch (answer.kind) {
    case 'found':
      return buildWhy(answer.why, answer.checkpointTimeMs);
    case 'no_cluster':
      throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no cluster of this name is processed');
    case 'no_pod':
      throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no pod of this name or uid lives in this namespace; of one that is gone, /v1/pods knows the history');
    case 'unavailable':
      throw new ApiError('PODTRAIL_API_STATE_UNAVAILABLE', answer.reason);
  }
}

/** Registers the route. */
export function registerWhy(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/why',
    {
      schema: {
        operationId: 'whyPod',
        tags: ['pods'],
        summary: 'Why there is an incident about a pod, or why not',
        description:
          'For any living pod, healthy ones too: what each scenario sees of it now, incidents that are about to open, mutes, disruptions, and what podtrail cannot see.',
        querystring: whyQuery,
        response: { 200: whyResponse, ...problemResponsesOfOne },
      },
    },
    (request) => whyOf(deps, request.query),
  );
}
