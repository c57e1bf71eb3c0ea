/** Which clusters to collect: what the command line names, else the configuration, else the current kube context or the pod's own. */
import type { ClusterConfig, CollectorConfig } from '../collector/config.ts';
import { createKubeConfigSource } from '../collector/kubeconfig.ts';
import { CommandError, EXIT } from './errors.ts';

export interface ChosenCluster {
  readonly config: ClusterConfig;
  /** For the start-up message. */
  readonly server: string;
}

/** `NAME` or `NAME=CONTEXT`. Without a context the one of that name if there is one, else the current one. */
export function parseClusterFlag(text: string, contexts: readonly string[]): ClusterConfig {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  const context = at < 0 ? (contexts.includes(text) ? text : undefined) : text.slice(at + 1);
  if (name === '' || context === '') throw new CommandError(EXIT.refused, `--cluster ${text}: expected NAME or NAME=CONTEXT`);
  return { name, ...(context !== undefined && { context }) };
}

/** Chooses. Empty when nothing is configured anywhere. Throws CommandError for a context that does not exist. */
export function chooseClusters(config: CollectorConfig, flags: readonly string[]): ChosenCluster[] {
  const source = createKubeConfigSource();
  const files = source.files(config.kubeconfig);
  const names = files.contexts.map((context) => context.name);
  const wanted = flags.length > 0 ? flags.map((flag) => parseClusterFlag(flag, names)) : [...config.clusters];
  if (wanted.length === 0) {
    if (files.inCluster) return [{ config: { name: 'in-cluster' }, server: 'the service account of this pod' }];
    if (files.current === undefined) return [];
    return [{ config: { name: clusterName(files.current.name), context: files.current.name }, server: files.current.server }];
  }
  return wanted.map((cluster) => {
    const path = cluster.kubeconfig ?? config.kubeconfig;
    const known = path === config.kubeconfig ? files : source.files(path);
    const context = cluster.context === undefined ? known.current : known.contexts.find((each) => each.name === cluster.context);
    if (context === undefined && !(known.inCluster && cluster.context === undefined)) {
      const which = cluster.context === undefined ? 'a current context' : `context ${cluster.context}`;
      throw new CommandError(
        EXIT.refused,
        `cluster ${cluster.name}: the kubeconfig has no ${which}; it has ${known.contexts.map((c) => c.name).join(', ') || 'none'}`,
      );
    }
    return { config: cluster, server: context?.server ?? 'the service account of this pod' };
  });
}

/** A context's name as a cluster's: what a name may not contain becomes a dash (EKS and GKE put ARNs and underscores there). */
function clusterName(context: string): string {
  const name = context.replace(/[^A-Za-z0-9\-._:@/]/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return name === '' ? 'default' : name.slice(0, 128);
}
