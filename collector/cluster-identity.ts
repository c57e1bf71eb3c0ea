/** Which cluster an API server is (design D1): the uid of its namespace kube-system, and a name that goes with that uid only. */
import type { ApiClient, ApiResult } from './api-client.ts';
import { ClusterError } from './errors.ts';

export interface ClusterIdentity {
  readonly uid: string;
  /** `kube-system` as design D1 has it; the others where RBAC hides that namespace. */
  readonly from: 'kube-system' | 'configuration' | 'endpoint';
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#initial-namespaces: every cluster has it, and no two the same uid. */
const IDENTITY_PATH = '/api/v1/namespaces/kube-system';

export interface IdentityOptions {
  /** The configured uid: it has to agree with what the cluster says, and stands in where the cluster says nothing. */
  readonly configuredUid: string | undefined;
  /** A digest of the server's URL and CA: the last resort, which changes when one of them does. */
  readonly endpoint: string;
}

/** Throws ClusterError PODTRAIL_CLUSTER_IDENTITY if the cluster is not the configured one. */
export async function readIdentity(
  name: string,
  api: Pick<ApiClient, 'get'>,
  options: IdentityOptions,
  signal: AbortSignal,
): Promise<ApiResult<ClusterIdentity>> {
  const { configuredUid, endpoint } = options;
  const namespace = await api.get(IDENTITY_PATH, signal);
  if (namespace.ok) {
    const uid = (namespace.value as { metadata?: { uid?: unknown } | null } | null)?.metadata?.uid;
    if (typeof uid !== 'string' || uid === '') return { ok: false, failure: { kind: 'bad_response', message: 'namespace kube-system has no uid' } };
    if (configuredUid !== undefined && configuredUid !== uid) {
      throw identityError(`cluster ${name} is configured with uid ${configuredUid}, but its namespace kube-system has uid ${uid}`);
    }
    return { ok: true, value: { uid, from: 'kube-system' } };
  }
  if (namespace.failure.kind !== 'forbidden' && namespace.failure.kind !== 'not_served') return namespace;
  if (configuredUid !== undefined) return { ok: true, value: { uid: configuredUid, from: 'configuration' } };
  return { ok: true, value: { uid: `endpoint-${endpoint.slice(0, 32)}`, from: 'endpoint' } };
}

export function identityError(message: string): ClusterError {
  return new ClusterError('PODTRAIL_CLUSTER_IDENTITY', message);
}

/** Names and uids seen by this process: one name is one uid, and one uid is one name. */
export interface IdentityRegistry {
  /** Throws ClusterError PODTRAIL_CLUSTER_IDENTITY if either is taken. The same pair again is fine. */
  claim(name: string, uid: string): void;
}

export function createIdentityRegistry(): IdentityRegistry {
  const uidByName = new Map<string, string>();
  const nameByUid = new Map<string, string>();
  return {
    claim(name, uid) {
      const knownUid = uidByName.get(name);
      if (knownUid !== undefined && knownUid !== uid) {
        throw identityError(
          `cluster ${name} had uid ${knownUid} and now has ${uid}: it is another cluster; run podtrail cluster replace, or give it another name`,
        );
      }
      const knownName = nameByUid.get(uid);
      if (knownName !== undefined && knownName !== name) {
        throw identityError(`clusters ${knownName} and ${name} are the same cluster, uid ${uid}: remove one of them`);
      }
      uidByName.set(name, uid);
      nameByUid.set(uid, name);
    },
  };
}
