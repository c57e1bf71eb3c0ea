/** GET /v1/why. It asks the rules, not the store: the composition root says where the state is. */
import type { App, RouteDeps } from '../deps.ts';
import { problemResponsesOfOne } from '../../problem.ts';
import { expectAnswer } from '../state-answer.ts';
import { buildWhy, whyQuery, whyResponse } from './schema.ts';

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
          'For any living pod, healthy ones too: what each scenario sees of it now, incidents that are about to open, mutes, disruptions, and what podtrail cannot see. Of a pod that is gone, its history tells.',
        querystring: whyQuery,
        response: { 200: whyResponse, ...problemResponsesOfOne },
      },
    },
    async ({ query: { cluster, namespace, pod } }) => buildWhy(await expectAnswer(deps.why?.(cluster, namespace, pod), 'why')),
  );
}
