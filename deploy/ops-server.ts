/** /metrics, /healthz and /readyz of the roles that have no API of their own. */
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { CommandError, EXIT } from './errors.ts';

export const operationsConfig = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1').describe('Address of /metrics, /healthz and /readyz of collector and processor.'),
  port: z.int().min(0).max(65_535).optional().describe('Their port; without it they are not served. 0 takes a free one.'),
});
export type OperationsConfig = z.output<typeof operationsConfig>;

export interface OpsServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the server, or does nothing without a port. `ready` says whether the role does its work; a single cluster never decides that. */
export async function startOpsServer(
  config: OperationsConfig,
  deps: { readonly registry: Registry; readonly log: Logger; readonly ready: () => boolean },
): Promise<OpsServer | undefined> {
  const { host, port } = config;
  if (port === undefined) return undefined;
  const server = createServer((request, response) => {
    const send = (status: number, type: string, body: string): void => void response.writeHead(status, { 'content-type': type }).end(body);
    if (request.method !== 'GET' && request.method !== 'HEAD') send(405, 'text/plain', 'only GET\n');
    else if (request.url === '/healthz') send(200, 'text/plain', 'ok\n');
    else if (request.url === '/readyz') send(deps.ready() ? 200 : 503, 'text/plain', deps.ready() ? 'ready\n' : 'not ready\n');
    else if (request.url === '/metrics') {
      deps.registry.metrics().then(
        (text) => send(200, deps.registry.contentType, text),
        (error: unknown) => {
          deps.log.error({ err: error }, 'collect metrics failed');
          send(500, 'text/plain', 'metrics failed\n');
        },
      );
    } else send(404, 'text/plain', 'there are /metrics, /healthz and /readyz\n');
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new CommandError(EXIT.refused, `listen on ${host} port ${port} failed: ${error.message}`)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const url = typeof address === 'object' && address !== null ? `http://${host}:${address.port}` : '';
  deps.log.info({ url }, 'metrics listening');
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
