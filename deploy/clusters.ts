/** Which clusters to collect: what the command line names, else the configuration, else the current kube context or the pod's own. */
import { z } from 'zod';
import { type ClusterConfig, type CollectorConfig, collectorConfig } from '../collector/config.ts';
import { type ContextInfo, createKubeConfigSource, type KubeConfigFiles, type KubeConfigSource } from '../collector/kubeconfig.ts';
import { CommandError, EXIT } from './errors.ts';

export interface ChosenCluster {
  readonly config: ClusterConfig;
  /** What is going to be collected, for the start-up message. */
  readonly about: string;
}

/**
 * Chooses. Empty when nothing is configured anywhere. Throws CommandError (exit 2) for a context that does not exist, ClusterError
 * PODTRAIL_CLUSTER_CONFIG for a kubeconfig that cannot be read.
 */
export function chooseClusters(config: CollectorConfig, flags: readonly string[], source: KubeConfigSource = createKubeConfigSource()): ChosenCluster[] {
  const files = source.files(config.kubeconfig);
  const names = files.contexts.map((context) => context.name);
  const wanted = flags.length > 0 ? checkClusters(flags.map((flag) => parseClusterFlag(flag, names, config.clusters))) : config.clusters;
  if (wanted.length === 0) return chooseCurrent(files);
  return wanted.map((cluster) => {
    const path = cluster.kubeconfig ?? config.kubeconfig;
    const own = path === config.kubeconfig ? files : source.files(path);
    const { context } = cluster;
    const found = context === undefined ? own.current : own.contexts.find((each) => each.name === context);
    if (found !== undefined) return chosen(cluster, `context ${found.name} at ${found.server}`);
    if (own.inCluster && context === undefined) return chosen(cluster, IN_POD);
    throw new CommandError(EXIT.refused, `cluster ${cluster.name}: ${missing(context, own)}`);
  });
}

function missing(context: string | undefined, { contexts }: KubeConfigFiles): string {
  const have = contexts.map((each) => each.name).join(', ') || 'none';
  return `there is no ${context === undefined ? 'current kube context' : `kube context ${context}`}; there are: ${have}`;
}

/** The cluster of one kube context. Throws CommandError (exit 2) if there is no such context. */
export function chooseContext(config: CollectorConfig, context: string, source: KubeConfigSource = createKubeConfigSource()): ChosenCluster {
  const files = source.files(config.kubeconfig);
  const found = files.contexts.find((each) => each.name === context);
  if (found === undefined) throw new CommandError(EXIT.refused, missing(context, files));
  return ofContext(found);
}

/** Why there is no context to take. */
export function describeAbsence(config: CollectorConfig, source: KubeConfigSource = createKubeConfigSource()): string {
  const { contexts } = source.files(config.kubeconfig);
  if (contexts.length > 0) return `no kube context is current (there are ${contexts.map((each) => each.name).join(', ')}: choose with --cluster)`;
  return `no kube context is configured (${config.kubeconfig ?? '~/.kube/config'} has none)`;
}

const IN_POD = 'the service account of this pod';

const chosen = (config: ClusterConfig, from: string): ChosenCluster => {
  const scope = config.namespaces === undefined ? '' : `, namespaces ${config.namespaces.join(', ')} only`;
  return { config, about: `${config.name} (${from}${scope})` };
};

function chooseCurrent({ inCluster, current }: KubeConfigFiles): ChosenCluster[] {
  if (inCluster) return [chosen({ name: 'in-cluster' }, IN_POD)];
  if (current === undefined) return [];
  return [ofContext(current)];
}

function ofContext({ name, server }: ContextInfo): ChosenCluster {
  return chosen({ name: clusterName(name), context: name }, `context ${name} at ${server}`);
}

/**
 * `NAME` or `NAME=CONTEXT`. A name alone means the cluster of that name in the configuration, else the context of that name, else
 * the current context.
 */
function parseClusterFlag(text: string, contexts: readonly string[], configured: readonly ClusterConfig[] = []): ClusterConfig {
  const at = text.indexOf('=');
  const known = configured.find((cluster) => cluster.name === text);
  if (known !== undefined) return known;
  if (at < 0) return contexts.includes(text) ? { name: clusterName(text), context: text } : { name: text };
  const [name, context] = [text.slice(0, at), text.slice(at + 1)];
  if (name === '' || context === '') throw new CommandError(EXIT.refused, `--cluster ${text}: expected NAME or NAME=CONTEXT`);
  return { name, context };
}

function checkClusters(clusters: readonly ClusterConfig[]): ClusterConfig[] {
  const parsed = collectorConfig.shape.clusters.safeParse(clusters);
  if (!parsed.success) throw new CommandError(EXIT.refused, `--cluster: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** A context's name as a cluster's: what a name may not contain becomes a dash (EKS and GKE put ARNs and underscores there). */
function clusterName(context: string): string {
  const name = context.replace(/[^A-Za-z0-9\-._:@/]/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return name === '' ? 'default' : name.slice(0, 128);
}
