/** The HTTP application: everything but listening, so that tests inject requests into it. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ClickHouseClient } from '@clickhouse/client';
import type { FastifyBaseLogger } from 'fastify';
import fastify, { LogController } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { serializerCompiler } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import type { CapacityQuestions } from '../processor/capacity-questions.ts';
import type { AskWhy } from '../processor/why.ts';
import { createAdmission } from './admission.ts';
import type { ApiConfig } from './config.ts';
import { registerDashboard } from './dashboard/route.ts';
import { answerSocketError, registerErrorHandlers, sendProblem } from './error-handler.ts';
import { registerEtag } from './etag.ts';
import type { ApiMetrics } from './metrics.ts';
import { createApiMetrics } from './metrics.ts';
import { registerOpenApi } from './openapi.ts';
import { registerBalance } from './routes/balance/route.ts';
import { registerCapacity } from './routes/capacity/route.ts';
import { registerClusters } from './routes/clusters/route.ts';
import { registerCoverage } from './routes/coverage/route.ts';
import { registerDeadLetters } from './routes/dead-letters/route.ts';
import type { Advice, App, RouteDeps } from './routes/deps.ts';
import { registerDisruptions } from './routes/disruptions/route.ts';
import { registerFragmentation } from './routes/fragmentation/route.ts';
import { registerHealth } from './routes/health/route.ts';
import { registerIncidents } from './routes/incidents/route.ts';
import { registerPods } from './routes/pods/route.ts';
import { registerPrecheck } from './routes/precheck/route.ts';
import { registerTrends } from './routes/trends/route.ts';
import { registerWhy } from './routes/why/route.ts';
import { registerSecurity } from './security.ts';
import { createStore } from './store.ts';
import { validatorCompiler } from './validation.ts';

export interface ApiOptions extends ApiConfig {
  /** A recording plays instead of real clusters: the page says so. */
  readonly demo?: boolean;
}

export interface ApiDeps {
  readonly client: ClickHouseClient;
  readonly database: string;
  readonly log: FastifyBaseLogger;
  /** Where the api's metrics go, and what /metrics serves. */
  readonly registry: Registry;
  /** Live status of this process, when it has it (standalone). */
  readonly status?: () => unknown;
  readonly advice?: Advice;
  readonly why?: AskWhy;
  readonly capacity?: CapacityQuestions;
  /** Epoch ms; a test's own clock. Default: the system's. */
  readonly now?: () => number;
}

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

const MAX_HEAD_BYTES = 16_384;
/** Longest value of a path parameter; cluster names and uids have at most 128 characters, percent-encoded up to 12 bytes each. */
const MAX_PARAM_CHARS = 1_536;
const IDLE_MS = 65_000; // above the 60 s of common load balancers, so that they close first
const CHECK_MS = 1_000;
const SLACK_MS = 2_000;

function createApplication(options: ApiOptions, log: FastifyBaseLogger): App {
  const requestTimeout = options.requestTimeoutSeconds * 1_000;
  return fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }), // Fastify's own lines hold the address with its query
    genReqId: () => randomUUID(),
    bodyLimit: options.bodyLimitBytes,
    requestTimeout,
    connectionTimeout: requestTimeout + IDLE_MS,
    keepAliveTimeout: IDLE_MS,
    handlerTimeout: (options.queryQueueSeconds + options.queryTimeoutSeconds) * 1_000 + SLACK_MS,
    // headersTimeout and requestTimeout are only looked at this often (slowloris).
    http: { headersTimeout: Math.min(requestTimeout, 10_000), connectionsCheckingInterval: CHECK_MS, maxHeaderSize: MAX_HEAD_BYTES },
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    frameworkErrors: sendProblem,
    clientErrorHandler: answerSocketError,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>();
}

function observeRequests(app: App, metrics: ApiMetrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? '(none)';
    metrics.request(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
    request.log.debug(
      { requestId: request.id, method: request.method, route, status: reply.statusCode, durationMs: Math.round(reply.elapsedTime) },
      'answered',
    );
  });
}

/** Builds the application. It does not listen, and closes nothing that it was given. */
export async function buildApp(options: ApiOptions, deps: ApiDeps): Promise<App> {
  const admission = createAdmission({ concurrency: options.queryConcurrency, queue: options.queryQueue, queueMs: options.queryQueueSeconds * 1_000 });
  const metrics = createApiMetrics(deps.registry, admission);
  const store = createStore(options, { client: deps.client, database: deps.database, admission, observe: metrics.query });
  const routeDeps: RouteDeps = {
    config: options,
    store,
    now: deps.now ?? Date.now,
    demo: options.demo ?? false,
    status: deps.status,
    advice: deps.advice,
    why: deps.why,
    capacity: deps.capacity,
  };
  const app = createApplication(options, deps.log);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  registerErrorHandlers(app);
  registerSecurity(app, options);
  registerEtag(app);
  observeRequests(app, metrics);
  await registerOpenApi(app, VERSION);
  registerIncidents(app, routeDeps);
  registerTrends(app, routeDeps);
  registerPods(app, routeDeps);
  registerWhy(app, routeDeps);
  registerDisruptions(app, routeDeps);
  registerCapacity(app, routeDeps);
  registerFragmentation(app, routeDeps);
  registerPrecheck(app, routeDeps);
  registerClusters(app, routeDeps);
  registerCoverage(app, routeDeps);
  registerBalance(app, routeDeps);
  registerDeadLetters(app, routeDeps);
  registerHealth(app, routeDeps, deps.registry);
  registerDashboard(app);
  return app;
}
