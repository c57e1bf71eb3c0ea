/** Kubeconfig files: found, merged as kubectl does, and narrowed to one context. */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { ClusterError } from './errors.ts';

/** A context of a kubeconfig, as `kubectl config get-contexts` shows it. */
export interface ContextInfo {
  readonly name: string;
  readonly server: string;
}

export interface KubeConfigFiles {
  readonly contexts: readonly ContextInfo[];
  readonly current: ContextInfo | undefined;
  /** There is no kubeconfig, and this is a pod with a service account. */
  readonly inCluster: boolean;
}

/** A cluster or a user, by the names that a kubeconfig has for its fields; paths are absolute. */
export type Fields = Readonly<Record<string, unknown>>;

/** One context of a kubeconfig, or the service account of a pod. */
export interface ContextConfig {
  /** A kubeconfig of this context alone: equal as long as nothing about it changed, whatever the times of the files say. */
  readonly text: string;
  readonly server: string;
  readonly cluster: Fields;
  readonly user: Fields;
}

interface Named {
  readonly name?: unknown;
  readonly [field: string]: unknown;
}
interface Merged {
  readonly clusters: readonly Named[];
  readonly users: readonly Named[];
  readonly contexts: readonly Named[];
  readonly current: string;
}

/** Where a pod finds its token, the CA beside it, and in its environment the API server: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Reads the files on every call; parses only what changed, once for all clusters. */
export interface KubeConfigSource {
  /**
   * `kubeconfig`: paths as in $KUBECONFIG; without it ~/.kube/config, and without that the pod's service account. Without
   * `context`, the current one. Throws ClusterError PODTRAIL_CLUSTER_CONFIG, retriable since the file may be put right.
   */
  context(kubeconfig: string | undefined, context: string | undefined): ContextConfig;
  /** What is configured: for start-up messages and for choosing a default. Throws as above if a file cannot be parsed. */
  files(kubeconfig: string | undefined): KubeConfigFiles;
}

export function createKubeConfigSource(home: string = homedir(), tokenFile: string = SERVICE_ACCOUNT_TOKEN, env = process.env): KubeConfigSource {
  const parsed = new Map<string, { readonly text: string; readonly merged: Merged }>();
  const load = (kubeconfig: string | undefined): Merged | undefined => {
    const paths = kubeconfig === undefined ? [join(home, '.kube', 'config')] : kubeconfig.split(delimiter).filter((path) => path !== '');
    const files = paths.flatMap((path) => readIfThere(path));
    if (files.length === 0) return undefined;
    const key = paths.join(delimiter);
    const text = files.map((file) => file.text).join('\n');
    const known = parsed.get(key);
    if (known?.text === text) return known.merged;
    const merged = mergeFiles(files);
    parsed.set(key, { text, merged });
    return merged;
  };
  const inCluster = (): boolean => readIfThere(tokenFile).length > 0;
  return {
    context(kubeconfig, context) {
      const merged = load(kubeconfig);
      if (merged !== undefined) return selectContext(merged, context);
      if (kubeconfig === undefined && context === undefined && inCluster()) return serviceAccount(tokenFile, env);
      throw configError(`no kubeconfig at ${kubeconfig ?? '~/.kube/config'}`);
    },
    files(kubeconfig) {
      const merged = load(kubeconfig);
      if (merged === undefined) return { contexts: [], current: undefined, inCluster: kubeconfig === undefined && inCluster() };
      const contexts = merged.contexts.map((entry) => ({ name: String(entry.name), server: serverOf(merged, entry) }));
      return { contexts, current: contexts.find((context) => context.name === merged.current), inCluster: false };
    },
  };
}

function configError(message: string, cause?: unknown): ClusterError {
  return new ClusterError('PODTRAIL_CLUSTER_CONFIG', message, { cause, retriable: true });
}

/** Empty if there is no such file: kubectl, too, skips missing ones. */
function readIfThere(path: string): { readonly path: string; readonly text: string }[] {
  try {
    return [{ path, text: readFileSync(path, 'utf8') }];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw configError(`read kubeconfig ${path} failed: ${(error as NodeJS.ErrnoException).code}`, error);
  }
}

/** kubectl's rules: the first file that names a thing wins, relative paths belong to the file's own folder. */
function mergeFiles(files: readonly { readonly path: string; readonly text: string }[]): Merged {
  const documents = files.map(({ path, text }) => ({ folder: dirname(resolve(path)), document: parseFile(path, text) }));
  const section = (key: string, complete: (entry: Named, folder: string) => Named): Named[] => {
    const byName = new Map<unknown, Named>();
    for (const { folder, document } of documents) {
      const entries = Array.isArray(document[key]) ? (document[key] as (Named | null)[]) : [];
      for (const entry of entries) if (typeof entry?.name === 'string' && !byName.has(entry.name)) byName.set(entry.name, complete(entry, folder));
    }
    return [...byName.values()];
  };
  return {
    clusters: section('clusters', completeCluster),
    users: section('users', completeUser),
    contexts: section('contexts', (entry) => entry),
    current: documents.map(({ document }) => document['current-context']).find((name): name is string => typeof name === 'string' && name !== '') ?? '',
  };
}

function parseFile(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(parse(text));
  } catch {
    // The parser's message quotes the line at fault, which may hold a token.
    throw configError(`kubeconfig ${path} is not valid YAML`);
  }
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function withPaths(fields: Readonly<Record<string, unknown>>, keys: readonly string[], folder: string): Record<string, unknown> {
  const complete = { ...fields };
  for (const key of keys) if (typeof fields[key] === 'string' && fields[key] !== '') complete[key] = resolve(folder, fields[key]);
  return complete;
}

function completeCluster(entry: Named, folder: string): Named {
  const cluster = withPaths(fieldsOf(entry['cluster']), ['certificate-authority'], folder);
  // client-node takes plain http only with this flag, which says nothing where there is no TLS.
  if (typeof cluster['server'] === 'string' && cluster['server'].startsWith('http:')) cluster['insecure-skip-tls-verify'] = true;
  return { ...entry, cluster };
}

function completeUser(entry: Named, folder: string): Named {
  return { ...entry, user: withPaths(fieldsOf(entry['user']), ['client-certificate', 'client-key', 'tokenFile'], folder) };
}

function serverOf(merged: Merged, context: Named): string {
  const cluster = merged.clusters.find((entry) => entry.name === fieldsOf(context['context'])['cluster']);
  return String(fieldsOf(cluster?.['cluster'])['server'] ?? '');
}

function selectContext(merged: Merged, wanted: string | undefined): ContextConfig {
  const name = wanted ?? merged.current;
  if (name === '') throw configError('the kubeconfig has no current-context, and no context is configured');
  const context = merged.contexts.find((entry) => entry.name === name);
  if (context === undefined) throw configError(`no context "${name}" in the kubeconfig`);
  const { cluster: clusterName, user: userName } = fieldsOf(context['context']);
  const cluster = merged.clusters.find((entry) => entry.name === clusterName);
  const user = merged.users.find((entry) => entry.name === userName);
  const server = serverOf(merged, context);
  if (cluster === undefined || server === '') throw configError(`context "${name}" names no cluster with a server`);
  if (!URL.canParse(server)) throw configError(`the server of context "${name}" is not a URL`);
  return contextOf(name, server, fieldsOf(cluster?.['cluster']), fieldsOf(user?.['user']));
}

function contextOf(name: string, server: string, cluster: Fields, user: Fields): ContextConfig {
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
  return { text, server, cluster, user };
}

function serviceAccount(tokenFile: string, env: NodeJS.ProcessEnv): ContextConfig {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = env;
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (host === '' || port === '' || !URL.canParse(server)) {
    throw configError('this pod has a service account but no KUBERNETES_SERVICE_HOST and _PORT');
  }
  const cluster = { server, 'certificate-authority': join(dirname(tokenFile), 'ca.crt') };
  return contextOf('in-cluster', server, cluster, { tokenFile });
}
