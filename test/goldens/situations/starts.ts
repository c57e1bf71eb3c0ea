/** Images that do not come, and containers that cannot start. */
import type { Situation } from '../../helpers/situations.ts';
import { at, event, node, pod, statusOf, waiting } from '../../helpers/situations.ts';

const IMAGE = 'registry.example/shop/app:1';
const failedPull = (error: string) => [
  node('n1'),
  waiting('web', 'ImagePullBackOff', `Back-off pulling image "${IMAGE}": ErrImagePull: failed to pull and unpack image "${IMAGE}": ${error}`),
  event(waiting('web', '', ''), 'Failed', `Failed to pull image "${IMAGE}": failed to pull and unpack image "${IMAGE}": ${error}`, -20, { ofContainer: 'app' }),
];
const resolve = (error: string): string => `failed to resolve reference "${IMAGE}": ${error}`;
const head = 'unexpected status from HEAD request to https://registry.example/v2/shop/app/manifests/1: ';
const creating = (name: string) => pod(name, { phase: 'Pending', ...statusOf({ waiting: { reason: 'ContainerCreating' } }) });
const pulling = (name: string, last: number) =>
  event(creating(name), 'Pulling', `Pulling image "${IMAGE}"`, last, { ofContainer: 'app', count: 1, type: 'Normal' });
const unmounted = (error: string) => [node('n1'), creating('web'), event(creating('web'), 'FailedMount', error, -10)];
const cannotStart = (reason: string, message: string) => [
  node('n1'),
  waiting('web', reason, message),
  event(waiting('web', '', ''), 'Failed', `Error: ${message}`, -10, { ofContainer: 'app' }),
];
const runc = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ';

export const STARTS: readonly Situation[] = [
  {
    cause: 'image_pull_failure/registry_unavailable',
    objects: failedPull(resolve(`${head}503 Service Unavailable`)),
    alike: failedPull(resolve(`${head}404 Not Found: tag 503 not found`)),
    alikeIs: 'image_pull_failure/image_not_found',
  },
  {
    cause: 'image_pull_failure/registry_tls',
    objects: failedPull(
      resolve('failed to do request: Head "https://registry.example/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority'),
    ),
    alike: failedPull(resolve('failed to do request: Head "https://registry.example/v2/": net/http: TLS handshake timeout')),
    alikeIs: 'image_pull_failure/pull_timeout',
  },
  {
    cause: 'image_pull_failure/pull_queued',
    objects: [node('n1'), creating('web'), pulling('web', -100), creating('other'), pulling('other', -120)],
    // The other one has its image.
    alike: [node('n1'), creating('web'), pulling('web', -100), pod('other', statusOf({ running: { startedAt: at(-90) } }, { ready: true }))],
    alikeIs: 'image_pull_failure/pull_timeout',
  },
  {
    cause: 'image_pull_failure/no_space',
    objects: failedPull('failed to extract layer sha256:0a1b2c3d4e5f: write /app/lib.so: no space left on device'),
    alike: failedPull('failed to extract layer sha256:0a1b2c3d4e5f: unexpected EOF'),
    alikeIs: 'image_pull_failure/image_corrupt',
  },
  {
    cause: 'image_pull_failure/platform_mismatch',
    objects: failedPull('no match for platform in manifest: not found'),
    alike: failedPull(resolve(`${IMAGE}: not found`)),
    alikeIs: 'image_pull_failure/image_not_found',
  },
  {
    cause: 'image_pull_failure/image_corrupt',
    objects: failedPull(
      'failed commit on ref "layer-sha256:0a1b2c3d4e5f": unexpected commit digest sha256:1a2b3c4d5e6f, expected sha256:0a1b2c3d4e5f: failed precondition',
    ),
    alike: failedPull(
      'failed to copy: httpReadSeeker: failed open: failed to do request: read tcp 10.0.0.1:4711->10.0.0.2:443: read: connection reset by peer',
    ),
    alikeIs: 'image_pull_failure/pull_timeout',
  },
  {
    cause: 'dependency_error/missing_volume',
    objects: unmounted(
      'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC shop/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
    ),
    alike: unmounted('MountVolume.SetUp failed for volume "data" : secret "data" not found'),
    alikeIs: 'dependency_error/missing_secret',
  },
  {
    cause: 'dependency_error/access_denied',
    objects: unmounted(
      'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32\nOutput: mount.nfs: access denied by server while mounting 10.0.0.9:/export',
    ),
    alike: unmounted('MountVolume.SetUp failed for volume "data" : mount failed: exit status 32\nOutput: mount.nfs: Connection timed out'),
    alikeIs: 'dependency_error/mount_failed',
  },
  {
    cause: 'dependency_error/readonly_volume',
    objects: cannotStart(
      'RunContainerError',
      `${runc}error mounting "/var/lib/kubelet/pods/u/volumes/x" to rootfs at "/data/cache": create mountpoint for /data/cache mount: mkdirat /data/cache: read-only file system: unknown`,
    ),
    alike: cannotStart(
      'RunContainerError',
      `${runc}error mounting "/var/lib/kubelet/pods/u/volumes/x" to rootfs at "/data/cache": mount /x:/data/cache (via /proc/self/fd/6): not a directory: unknown`,
    ),
    alikeIs: 'dependency_error/mount_failed',
  },
  {
    cause: 'container_create_failure/rbac_forbidden',
    objects: unmounted(
      'MountVolume.SetUp failed for volume "cfg" : configmaps "cfg" is forbidden: User "system:node:n1" cannot get resource "configmaps" in API group "" in the namespace "shop": no relationship found between node \'n1\' and this object',
    ),
    alike: unmounted('MountVolume.SetUp failed for volume "cfg" : configmap "cfg" not found'),
    alikeIs: 'dependency_error/missing_configmap',
  },
  {
    cause: 'container_create_failure/runtime_error',
    objects: cannotStart('CreateContainerError', 'failed to reserve container name "app_web_shop_u_0": name "app_web_shop_u_0" is reserved for "0a1b"'),
    alike: cannotStart('RunContainerError', `${runc}exec: "serve": executable file not found in $PATH: unknown`),
    alikeIs: 'container_create_failure/bad_command',
  },
];
