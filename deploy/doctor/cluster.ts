/** One cluster: reachable, version, clock, identity, and the right to list and watch each resource. Only asked for, never changed. */
import { type ApiClient, type ApiFailure, createApiClient } from '../../collector/api-client.ts';
import { collectionPath, describeDenied, planTargets, type Target } from '../../collector/api-resources.ts';
import { createClusterConnection } from '../../collector/cluster-connection.ts';
import { readIdentity } from '../../collector/cluster-identity.ts';
import type { ClusterConfig, CollectorConfig } from '../../collector/config.ts';
import { createKubeConfigSource } from '../../collector/kubeconfig.ts';
import { NAME_ONLY_RESOURCES } from '../../collector/objects.ts';
import { type Finding, fail, messageOf, ok, warn } from './finding.ts';

/** autoscaling/v2 is there from 1.23: kubernetes.io deprecation guide. */
const LEAST_VERSION = [1, 23] as const;
/** Times of objects and of observation are compared; beyond this one of two clocks is wrong. The Date header has 1 s. */
const MAX_SKEW_MS = 5_000;
const REQUEST_IDLE_MS = 15_000;
/** Longest time for all questions to one cluster, ms. */
const TIMEOUT_MS = 60_000;

/** Checks a cluster as the collector of this configuration would use it. */
export async function checkCluster(cluster: ClusterConfig, config: CollectorConfig, now: () => number = Date.now): Promise<Finding[]> {
  const about = `cluster ${cluster.name}`;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const connection = createClusterConnection({ ...cluster, kubeconfig: cluster.kubeconfig ?? config.kubeconfig, source: createKubeConfigSource() });
  const api = createApiClient(connection, { watchStallMs: REQUEST_IDLE_MS, requestIdleMs: REQUEST_IDLE_MS, connectTimeoutMs: REQUEST_IDLE_MS });
  try {
    const version = await api.get('/version', signal);
    if (!version.ok && version.failure.kind !== 'forbidden') return [unreachable(about, version.failure, connection.server())];
    const { gitVersion } = (version.ok ? version.value : {}) as { readonly gitVersion?: unknown };
    const { endpoint } = await connection.credentials();
    const clock = checkClock(about, connection.clock.nowMs() - now());
    const identity = await checkIdentity(about, cluster, api, endpoint, signal);
    const { targets } = planTargets({ ...cluster, nameOnly: config.nameOnlyResources });
    const rights: Finding[] = [];
    for (const target of targets) rights.push(...(await checkTarget(about, target, api, signal)));
    return [checkVersion(about, String(gitVersion ?? '')), clock, identity, ...summarize(about, rights, targets.length)];
  } catch (error) {
    return [fail(about, messageOf(error), 'check the kubeconfig and its context')];
  } finally {
    connection.close();
  }
}

function unreachable(about: string, { kind, message }: ApiFailure, server: string): Finding {
  const fix =
    kind === 'unauthorized' || kind === 'credentials'
      ? 'renew the credentials of the kubeconfig, or repair its plugin'
      : 'check the address in the kubeconfig, the network and the certificate authority';
  return fail(about, `${server}: ${message}`, fix);
}

function checkVersion(about: string, version: string): Finding {
  const [, major = '', minor = ''] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === '') return warn(about, 'its API server does not say its version', `${LEAST_VERSION.join('.')} or later is needed`);
  const isEnough = Number(major) > LEAST_VERSION[0] || Number(minor) >= LEAST_VERSION[1];
  return isEnough
    ? ok(about, `API server ${version}`)
    : fail(about, `API server ${version} is too old`, `Kubernetes ${LEAST_VERSION.join('.')} or later is needed`);
}

function checkClock(about: string, skewMs: number): Finding {
  const seconds = (Math.abs(skewMs) / 1_000).toFixed(1);
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return ok(about, `its clock and this one agree within ${seconds} s`);
  return warn(
    about,
    `its clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this one`,
    'let both follow NTP; podtrail goes by the clock of the API server',
  );
}

async function checkIdentity(about: string, cluster: ClusterConfig, api: ApiClient, endpoint: string, signal: AbortSignal): Promise<Finding> {
  try {
    const identity = await readIdentity(cluster.name, api, { configuredUid: cluster.uid, endpoint }, signal);
    if (!identity.ok) return fail(about, `its identity cannot be read: ${identity.failure.message}`, 'allow get of the namespace kube-system');
    const { uid, from } = identity.value;
    if (from !== 'endpoint') return ok(about, `uid ${uid}`);
    return warn(
      about,
      'it may not read the namespace kube-system, so its address is its identity',
      'allow get of it, or set uid of the cluster in the configuration',
    );
  } catch (error) {
    return fail(about, messageOf(error), 'run `podtrail cluster replace`, or give it another name');
  }
}

/** What is missing; empty if the target can be listed and watched. */
async function checkTarget(about: string, { resource, scope }: Target, api: ApiClient, signal: AbortSignal): Promise<Finding[]> {
  // Of name-only resources nothing but metadata may be asked for, and list sees to that.
  const listed = NAME_ONLY_RESOURCES.includes(resource)
    ? await api.list({ resource, scope, continueToken: '' }, signal)
    : await api.get(`${collectionPath(resource, scope)}?limit=1`, signal);
  if (!listed.ok) return [denied(about, 'list', { resource, scope }, listed.failure)];
  const resourceVersion = versionOf(listed.value);
  const isOpen = new AbortController();
  const until = AbortSignal.any([signal, isOpen.signal]);
  const handlers = { opened: () => isOpen.abort(), bytes: () => false };
  const ended = await api.watch({ resource, scope, resourceVersion, timeoutSeconds: 1 }, handlers, until);
  return ended.kind === 'failed' && !isOpen.signal.aborted ? [denied(about, 'watch', { resource, scope }, ended.failure)] : [];
}

function versionOf(list: unknown): string {
  const { resourceVersion, metadata } = list as { readonly resourceVersion?: unknown; readonly metadata?: { readonly resourceVersion?: unknown } };
  return String(resourceVersion ?? metadata?.resourceVersion ?? '');
}

function denied(about: string, verb: 'list' | 'watch', { resource, scope }: Target, failure: ApiFailure): Finding {
  if (failure.kind === 'forbidden')
    return fail(about, describeDenied(verb, resource, scope), 'apply deploy/k8s/rbac.yaml, or leave the resource out with `resources`');
  if (failure.kind === 'not_served') return warn(about, `it serves no ${resource}`, 'nothing to do: rules that need them stay silent');
  return fail(about, `${verb} of ${resource} failed: ${failure.message}`, 'look at the API server, and try again');
}

function summarize(about: string, missing: readonly Finding[], targets: number): readonly Finding[] {
  return missing.length === 0 ? [ok(about, `all ${targets} resources can be listed and watched`)] : missing;
}
