/**
 * What a request needs to be let in by an API server: what a kubeconfig says of its cluster and user, as client-node's KubeConfig would apply
 * it. All of client-node takes 70 MB of memory (140 MB through a TypeScript loader), so it is loaded only where it knows more, for providers and
 * proxies, and of it for exec plugins only what runs them.
 */
import { readFileSync } from 'node:fs';
import type https from 'node:https';
import type { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js';
import { ClusterError } from './errors.ts';
import { type ContextConfig, type Fields, fieldsOf } from './kubeconfig.ts';
import { redactText } from './redact.ts';

export interface Authentication {
  /** Throws ClusterError PODTRAIL_CLUSTER_REFUSED, retriable. */
  apply(): Promise<https.RequestOptions>;
  /** A plugin that was given up on is still running: another one beside it would only pile up. */
  busy(): boolean;
}

/** Authenticates for as long as its tokens are taken: plugins and providers keep theirs, so a new one forgets a refused token. */
export function createAuthentication(context: ContextConfig, timeoutMs: number): Authentication {
  const plugin = fieldsOf(context.user['exec'])['command'];
  const what = typeof plugin === 'string' ? `exec plugin ${plugin}` : 'credentials';
  const refuse = (reason: string): ClusterError => new ClusterError('PODTRAIL_CLUSTER_REFUSED', `${what} ${reason}`, { retriable: true });
  const apply = isPlain(context) ? createPlain(context) : createByClientNode(context);
  let running: Promise<https.RequestOptions> | undefined;
  const start = async (): Promise<https.RequestOptions> => {
    try {
      return await apply();
    } catch (error) {
      throw refuse(`failed: ${describeAuthError(error)}`);
    } finally {
      running = undefined;
    }
  };
  return {
    busy: () => running !== undefined,
    async apply() {
      running ??= start();
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(refuse(`not ready within ${timeoutMs} ms`)), timeoutMs);
      });
      try {
        return await Promise.race([running, timeout]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Messages may quote what a plugin printed, so only what is known to be harmless is passed on. */
function describeAuthError(error: unknown): string {
  if (error instanceof SyntaxError) return 'its output is not an ExecCredential'; // JSON.parse quotes its input
  const { code, message } = error as NodeJS.ErrnoException;
  return redactText(code === undefined ? String(message).trim() : `${code} ${message}`).slice(0, 300);
}

const PLAIN_CLUSTER: ReadonlySet<string> = new Set(['server', 'certificate-authority', 'certificate-authority-data', 'tls-server-name', 'extensions']);
const PLAIN_USER: ReadonlySet<string> = new Set([
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
  'tokenFile',
  'username',
  'password',
  'as',
  'extensions',
]);

/** Is everything in it of the fields that are read here, and of their type? */
function isPlain({ cluster, user }: ContextConfig): boolean {
  const isText =
    (names: ReadonlySet<string>) =>
    ([name, value]: [string, unknown]) =>
      names.has(name) && (typeof value === 'string' || name === 'extensions');
  const { 'insecure-skip-tls-verify': insecure, ...others } = cluster;
  const { exec, ...rest } = user;
  return (
    Object.entries(others).every(isText(PLAIN_CLUSTER)) &&
    Object.entries(rest).every(isText(PLAIN_USER)) &&
    (insecure === undefined || typeof insecure === 'boolean') &&
    (exec === undefined || (typeof exec === 'object' && exec !== null))
  );
}

function createPlain({ cluster, user }: ContextConfig): () => Promise<https.RequestOptions> {
  let plugin: ExecAuth | undefined;
  return async () => {
    const headers: Record<string, string> = {};
    const request = { ...tlsOptions(cluster, user), headers };
    if (user['as'] !== undefined) headers['Impersonate-User'] = String(user['as']);
    if (user['exec'] !== undefined) {
      plugin ??= new (await import('@kubernetes/client-node/dist/exec_auth.js')).ExecAuth();
      await plugin.applyAuthentication({ name: 'user', exec: user['exec'] }, request);
    }
    const token = bearerToken(user);
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
    return user['username'] ? { ...request, auth: `${user['username']}:${user['password'] ?? ''}` } : request;
  };
}

function tlsOptions(cluster: Fields, user: Fields): https.RequestOptions {
  const servername = cluster['tls-server-name'];
  const present = Object.entries({
    ca: fileOrData(cluster, 'certificate-authority'),
    cert: fileOrData(user, 'client-certificate'),
    key: fileOrData(user, 'client-key'),
    servername: servername === '' ? undefined : servername,
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present);
}

/** The content of the file that the field names, else what the field `…-data` holds. */
function fileOrData(fields: Fields, name: string): Buffer | undefined {
  const [path, data] = [fields[name], fields[`${name}-data`]];
  if (typeof path === 'string' && path !== '') return readFileSync(path);
  return typeof data === 'string' && data !== '' ? Buffer.from(data, 'base64') : undefined;
}

/** A token file goes before a token, as in kubectl. */
function bearerToken({ tokenFile, token }: Fields): string | undefined {
  const found = typeof tokenFile === 'string' ? readFileSync(tokenFile, 'utf8') : token;
  return typeof found === 'string' && found !== '' ? found : undefined;
}

function createByClientNode({ text, user }: ContextConfig): () => Promise<https.RequestOptions> {
  const loading = import('@kubernetes/client-node').then(({ KubeConfig }) => {
    const config = new KubeConfig();
    config.loadFromString(text);
    const own = config.getCurrentUser();
    // client-node knows a token that is re-read only as this provider.
    const { tokenFile } = user;
    if (typeof tokenFile === 'string' && own !== null) Object.assign(own, { token: undefined, authProvider: { name: 'tokenFile', config: { tokenFile } } });
    return config;
  });
  loading.catch(() => {}); // whoever applies it is told
  return async () => {
    const request: https.RequestOptions = {};
    await (await loading).applyToHTTPSOptions(request);
    return request;
  };
}
