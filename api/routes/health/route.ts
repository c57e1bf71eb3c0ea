/** GET /healthz, GET /readyz, GET /metrics. */
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { problemResponses } from '../../problem.ts';
import type { App, RouteDeps } from '../deps.ts';

const status = (word: string, description: string) => z.object({ status: z.literal(word) }).meta({ description });

/** Registers health and metrics. They stay outside admission: a full queue is no reason to restart the process. */
export function registerHealth(app: App, deps: RouteDeps, registry: Registry): void {
  app.get(
    '/healthz',
    { schema: { operationId: 'getHealth', tags: ['process'], summary: 'The process runs', response: { 200: status('ok', 'It runs.') } } },
    () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        tags: ['process'],
        summary: 'The store answers',
        description: 'Says nothing of clusters: one that cannot be reached must not take the API out of service.',
        response: { 200: status('ready', 'The store answers.'), 503: problemResponses[503] },
      },
    },
    async () => {
      await deps.store.ping();
      return { status: 'ready' };
    },
  );
  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'getMetrics',
        tags: ['process'],
        summary: 'Prometheus metrics of this process',
        response: { 200: { description: 'Text exposition format.', content: { 'text/plain': { schema: z.string() } } } },
      },
    },
    async (_request, reply) => {
      const text = await registry.metrics();
      return reply
        .type(registry.contentType)
        .serializer((body: unknown) => String(body))
        .send(text);
    },
  );
}
