/** The state of one cluster for commands that ask once: from a recording, or listed from the cluster itself. Nothing is stored. */
import { setImmediate } from 'node:timers/promises';
import type { ApiFailure } from '../collector/api-client.ts';
import { BadPageError } from '../collector/errors.ts';
import { createApiClient } from '../collector/api-client.ts';
import { planTargets } from '../collector/api-resources.ts';
import type { ChangeRecord } from '../collector/change-record.ts';
import { SCHEMA_VERSION } from '../collector/change-record.ts';
import { createClusterConnection } from '../collector/cluster-connection.ts';
import { createKubeConfigSource } from '../collector/kubeconfig.ts';
import type { Resource } from '../collector/objects.ts';
import { createKnownObjects, createSession } from '../collector/session.ts';
import type { ClusterState } from '../processor/core/state.ts';
import { createClusterState } from '../processor/core/state.ts';
import { step } from '../processor/core/step.ts';
import type { ChosenCluster } from './clusters.ts';
import type { Config } from './config.ts';
import { CommandError, EXIT } from './errors.ts';
import { readUnended, recordingName } from './recording-input.ts';

/** The state at the end of a recording (`-`: standard input). Throws CommandError (exit 3). */
export async function stateOfRecording(file: string, config: Config): Promise<ClusterState> {
  let state: ClusterState | undefined;
  for await (const record of readUnended(file, recordingName(file), config.rules)) {
    state ??= createClusterState(record.cluster, 1);
    step(state, record);
  }
  if (state === undefined) throw new CommandError(EXIT.badInput, `${file} holds no lists`);
  return state;
}

/** What a one-time list looks at. Events and what only controllers need are left out; names of Secrets where the configuration allows it. */
const LISTED: readonly Resource[] = [
  'namespaces',
  'nodes',
  'priorityclasses',
  'storageclasses',
  'persistentvolumes',
  'csinodes',
  'persistentvolumeclaims',
  'resourcequotas',
  'limitranges',
  'poddisruptionbudgets',
  'replicasets',
  'configmaps',
  'secrets',
  'serviceaccounts',
  'pods',
];
/** Without these there is nothing to say. */
const NEEDED: readonly Resource[] = ['nodes', 'pods'];
const LIST_TIMEOUT_MS = 120_000;

/** Lists a cluster once, with the collector's own client and projection: get and list only; `note` is told what it may not list. Throws CommandError (exit 1). */
export async function stateOfCluster({ config: cluster }: ChosenCluster, config: Config, note: (line: string) => void): Promise<ClusterState> {
  const { kubeconfig = config.collector.kubeconfig, context } = cluster;
  const connection = createClusterConnection({ kubeconfig, context, source: createKubeConfigSource() });
  const api = createApiClient(connection, { watchStallMs: LIST_TIMEOUT_MS });
  const signal = AbortSignal.timeout(LIST_TIMEOUT_MS);
  const name = context ?? cluster.name;
  const ref = { uid: name, name };
  const state = createClusterState(ref, 1);
  const { targets } = planTargets({ resources: LISTED, nameOnly: true });
  const emit = (record: ChangeRecord): void => void step(state, record);
  // One moment for all lists: nothing is judged in between, and no list grows silent while another is fetched.
  const t = Date.now();
  const run = { v: SCHEMA_VERSION, cluster: ref, run: 'list', t } as const;
  emit({ ...run, type: 'RUN_BEGIN', resources: [...targets] });
  emit({ ...run, type: 'RULES', rules: config.rules });
  try {
    for (const { resource } of targets) {
      const session = createSession({ cluster: ref, run: 'list', session: resource, resource, scope: '', clock: () => t, emit, known: createKnownObjects() });
      const failure = await listInto(session, resource, api, signal);
      if (failure === undefined) continue;
      if (NEEDED.includes(resource)) throw new CommandError(EXIT.failed, `list ${resource} of ${name} failed: ${failure.message}`);
      note(`${resource} cannot be listed: ${failure.message}`);
      emit({ ...run, type: 'NOTE', resource, scope: '', code: failure.kind === 'not_served' ? 'not_served' : 'forbidden', message: failure.message });
    }
  } finally {
    connection.close();
  }
  return state;
}

async function listInto(
  session: ReturnType<typeof createSession>,
  resource: Resource,
  api: ReturnType<typeof createApiClient>,
  signal: AbortSignal,
): Promise<ApiFailure | undefined> {
  let continueToken = '';
  let begun = false;
  do {
    const page = await api.list({ resource, scope: '', continueToken }, signal);
    if (!page.ok) return page.failure;
    if (!begun) session.begin(page.value.resourceVersion);
    begun = true;
    try {
      for (const item of page.value.items) session.listed(item);
    } catch (error) {
      if (error instanceof BadPageError) return { kind: 'bad_response', message: `list of ${resource} is ${error.message}` };
      throw error;
    }
    continueToken = page.value.continueToken;
    await setImmediate();
  } while (continueToken !== '');
  session.end();
  return undefined;
}
