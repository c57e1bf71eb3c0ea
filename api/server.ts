/** Listens with the application, and stops without cutting off who is being answered. */
import type { AddressInfo } from 'node:net';
import type { ApiDeps, ApiOptions } from './app.ts';
import { buildApp } from './app.ts';
import { ApiStartError } from './errors.ts';
import { isLoopback } from './security.ts';

export interface ApiServer {
  /** Resolves when it listens. Throws ApiStartError: PODTRAIL_API_REMOTE_REFUSED, PODTRAIL_API_LISTEN. */
  start(): Promise<{ readonly url: string }>;
  /** Takes no new requests, waits for those in flight up to shutdownSeconds, then cuts what is left. Idempotent. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 4_096;

function urlOf(address: AddressInfo): string {
  const unspecified = address.address === '0.0.0.0' || address.address === '::';
  const host = unspecified ? '127.0.0.1' : address.address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

/** Checks what can be checked before anything listens. Throws ApiStartError: PODTRAIL_API_REMOTE_REFUSED. */
export async function createServer(options: ApiOptions, deps: ApiDeps): Promise<ApiServer> {
  const { host, port } = options;
  if (!isLoopback(host) && !options.allowRemote) {
    const message = `listening on ${host} refused: the API has no authentication yet; listen on 127.0.0.1, or set api.allowRemote if the network is trusted`;
    throw new ApiStartError('PODTRAIL_API_REMOTE_REFUSED', message);
  }
  const app = await buildApp(options, deps);
  app.server.maxConnections = MAX_CONNECTIONS;
  let stopping: Promise<void> | undefined;

  async function stop(): Promise<void> {
    const cut = setTimeout(() => app.server.closeAllConnections(), options.shutdownSeconds * 1_000);
    try {
      await app.close();
    } finally {
      clearTimeout(cut);
    }
    deps.log.info('api stopped');
  }

  return {
    async start() {
      try {
        await app.listen({ host, port });
      } catch (cause) {
        await app.close();
        throw new ApiStartError('PODTRAIL_API_LISTEN', `listening on ${host} port ${port} failed: ${(cause as Error).message}`, { cause });
      }
      const url = urlOf(app.server.address() as AddressInfo);
      deps.log.info({ url }, 'api listening');
      return { url };
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}
