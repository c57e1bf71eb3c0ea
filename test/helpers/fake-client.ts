import { type ApiClient, type ApiClientOptions, createApiClient } from '../../collector/api-client.ts';
import { type ClusterConnection, createClusterConnection } from '../../collector/cluster-connection.ts';
import { createKubeConfigSource } from '../../collector/kubeconfig.ts';
import { fakeKubeconfig } from './fake-api-server.ts';
import { tempFolder } from './temp-folder.ts';

/** An API client for a server, as the collector would make it from a kubeconfig. */
export function clientFor(
  url: string,
  options: Partial<ApiClientOptions> & { readonly user?: Readonly<Record<string, unknown>> } = {},
): { readonly api: ApiClient; readonly connection: ClusterConnection } {
  const kubeconfig = tempFolder().write('config', fakeKubeconfig({ fake: url }, options.user));
  const connection = createClusterConnection({ kubeconfig, source: createKubeConfigSource() });
  return { connection, api: createApiClient(connection, { watchStallMs: 10_000, ...options }) };
}
