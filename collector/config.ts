/** The collector's part of the configuration. Read by deploy/config.ts, which adds files and environment. */
import { z } from 'zod';
import { RESOURCES } from './objects.ts';

/** RFC 1123, as Kubernetes checks namespaces' names. */
const namespaceName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'not the name of a namespace');

const clusterConfig = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9]([-A-Za-z0-9._:@/]{0,126}[A-Za-z0-9])?$/, 'letters, digits and -._:@/ only, at most 128')
    .describe('What results call this cluster; its identity is the uid of its namespace kube-system'),
  context: z.string().min(1).optional().describe('Context of the kubeconfig; default: its current-context'),
  kubeconfig: z.string().min(1).optional().describe('Path of a kubeconfig, or several as in $KUBECONFIG; default: the one of `collector.kubeconfig`'),
  namespaces: z
    .array(namespaceName)
    .min(1)
    .max(100)
    .refine((names) => new Set(names).size === names.length, 'a namespace is named twice')
    .optional()
    .describe('Collect these namespaces only, with no cluster-wide rights; cluster-scoped resources are left out'),
  uid: z.string().min(1).max(128).optional().describe('Identity where kube-system cannot be read; elsewhere it must agree with the cluster'),
  resources: z.array(z.enum(RESOURCES)).min(1).optional().describe('Collect these resources only; default: all but the name-only ones'),
});

export const collectorConfig = z.strictObject({
  clusters: z
    .array(clusterConfig)
    .max(1_000)
    .refine((clusters) => new Set(clusters.map((cluster) => cluster.name)).size === clusters.length, 'two clusters have the same name')
    .default([])
    .describe('Clusters to collect'),
  kubeconfig: z.string().min(1).optional().describe('Kubeconfig of all clusters that name none; default: ~/.kube/config, in a pod its service account'),
  nameOnlyResources: z
    .boolean()
    .default(false)
    .describe('Also read which ConfigMaps, Secrets and ServiceAccounts exist: their metadata only, but RBAC knows no such right short of list'),
  bufferBytes: z
    .number()
    .int()
    .min(4 * 1_024 * 1_024)
    .max(16 * 1_024 * 1_024 * 1_024)
    .default(256 * 1_024 * 1_024)
    .describe(
      'Change records waiting for the change log, over all clusters in equal parts of 2 MiB at least, bytes; a cluster whose part is full stops watching',
    ),
  flushIntervalMs: z.number().int().min(1).max(10_000).default(50).describe('How long a change record may wait for company on its way to the change log, ms'),
  watchStallSeconds: z
    .number()
    .int()
    .min(75)
    .max(3_600)
    .default(150)
    .describe('A watch without a byte for this long is a dead connection, s; until a bookmark came, watches are asked for less'),
  deniedRetrySeconds: z
    .number()
    .int()
    .min(10)
    .max(86_400)
    .default(300)
    .describe('Pause before asking again for what RBAC forbids, what is not served, or a cluster that is refused, s'),
  startJitterSeconds: z.number().min(0).max(300).default(2).describe('Clusters start within this time, at random, if there are several, s'),
  stopTimeoutSeconds: z.number().min(0).max(600).default(10).describe('How long a stop waits for the change log to take what is buffered, s'),
});

export type CollectorConfig = z.output<typeof collectorConfig>;
export type ClusterConfig = z.output<typeof clusterConfig>;
