/** How to reach one API server: address, TLS, credentials and observed time. Credentials stay in here and in requests. */
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { type Authentication, createAuthentication } from './authentication.ts';
import type { ContextConfig, KubeConfigSource } from './kubeconfig.ts';
import { createServerClock, type ServerClock } from './server-clock.ts';

/** What a request needs. Never to be logged. */
export interface Credentials {
  /** Rises whenever they are obtained anew. */
  readonly generation: number;
  /** Names the API server: its URL and CA. Another endpoint may be another cluster. */
  readonly endpoint: string;
  readonly server: URL;
  readonly headers: Readonly<http.OutgoingHttpHeaders>;
  /** Basic authentication. */
  readonly auth: string | undefined;
  readonly agent: http.Agent;
}

export interface ClusterConnection {
  readonly clock: ServerClock;
  /** The API server's URL as last read, '' before that. */
  server(): string;
  /**
   * Credentials at most a minute old, so token files and the kubeconfig are re-read that often. Throws ClusterError
   * PODTRAIL_CLUSTER_CONFIG or PODTRAIL_CLUSTER_REFUSED (an exec plugin failed), both retriable.
   */
  credentials(): Promise<Credentials>;
  /** As above after a 401: everything anew, exec plugins included, unless that happened since `used` or within the last seconds. */
  refreshed(used: Credentials): Promise<Credentials>;
  /** Closes idle connections; those in use end with their requests. */
  close(): void;
}

export interface ConnectionOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly source: KubeConfigSource;
  /** Monotonic, ms. */
  readonly monotonic?: () => number;
  /** How long an exec plugin may take, ms. */
  readonly pluginTimeoutMs?: number;
}

/** client-go, too, re-reads token files once a minute. */
const CREDENTIALS_MAX_AGE_MS = 60_000;
/** At a wrong token every loop of a cluster gets a 401: together they ask for another one no more often than this. */
const REFRESH_MIN_INTERVAL_MS = 10_000;
/** Cloud plugins call out to an identity service; some take tens of seconds when that is slow. */
const PLUGIN_TIMEOUT_MS = 60_000;

export function createClusterConnection(options: ConnectionOptions): ClusterConnection {
  const { source, monotonic = () => performance.now(), pluginTimeoutMs = PLUGIN_TIMEOUT_MS } = options;
  const agents = createAgents();
  let context: ContextConfig | undefined;
  let authentication: Authentication | undefined;
  let current: Credentials | undefined;
  let obtainedMs = Number.NEGATIVE_INFINITY;
  let pending: Promise<Credentials> | undefined;

  const obtain = async (anew: boolean): Promise<Credentials> => {
    const latest = source.context(options.kubeconfig, options.context);
    const changed = latest.text !== context?.text;
    context = latest;
    if (authentication === undefined || changed || (anew && !authentication.busy())) authentication = createAuthentication(latest, pluginTimeoutMs);
    const request = await authentication.apply();
    const credentials = {
      generation: (current?.generation ?? 0) + 1,
      endpoint: digest([latest.server, request.ca]),
      server: new URL(latest.server),
      headers: trimmed(request.headers),
      auth: request.auth ?? undefined,
      agent: agents.for(latest, request),
    };
    current = credentials;
    obtainedMs = monotonic();
    return credentials;
  };
  const obtainOnce = (anew: boolean): Promise<Credentials> => {
    pending ??= obtain(anew).finally(() => {
      pending = undefined;
    });
    return pending;
  };

  return {
    clock: createServerClock(),
    server: () => context?.server ?? '',
    async credentials() {
      return current !== undefined && monotonic() - obtainedMs < CREDENTIALS_MAX_AGE_MS ? current : obtainOnce(false);
    },
    async refreshed(used) {
      const recent = current !== undefined && (current.generation !== used.generation || monotonic() - obtainedMs < REFRESH_MIN_INTERVAL_MS);
      return recent && current !== undefined ? current : obtainOnce(true);
    },
    close: () => agents.close(),
  };
}

/** Token files end with a newline, which no header may hold. */
function trimmed(headers: https.RequestOptions['headers']): http.OutgoingHttpHeaders {
  const entries = Object.entries((headers ?? {}) as http.OutgoingHttpHeaders);
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'string' ? value.trim() : value]));
}

function digest(parts: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part instanceof Uint8Array || typeof part === 'string' ? part : String(part)).update('\0');
  return hash.digest('hex');
}

/** One keep-alive agent for as long as the TLS identity stays the same. */
function createAgents() {
  let agent: http.Agent | undefined;
  let identity = '';
  const retire = (): void => {
    if (agent === undefined) return;
    agent.maxFreeSockets = 0; // connections in use are closed when they come back
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of [...(sockets ?? [])]) socket.destroy();
  };
  return {
    for({ text, server }: ContextConfig, request: https.RequestOptions): http.Agent {
      const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = request;
      const next = digest([text, ca, cert, key, pfx, passphrase, servername, rejectUnauthorized]);
      if (agent !== undefined && next === identity) return agent;
      retire();
      identity = next;
      agent = createAgent(server, request, { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized });
      return agent;
    },
    close: retire,
  };
}

/** client-node's own agent keeps no connection alive, a TLS handshake for every page of a list; with a proxy it is the one that knows how. */
function createAgent(server: string, request: https.RequestOptions, tls: https.AgentOptions): http.Agent {
  const given = request.agent;
  const plain = given instanceof https.Agent ? given.constructor === https.Agent : given instanceof http.Agent && given.constructor === http.Agent;
  if (!plain && given instanceof http.Agent) return given;
  const present = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
  return server.startsWith('http:') ? new http.Agent({ keepAlive: true }) : new https.Agent({ ...present, keepAlive: true });
}
