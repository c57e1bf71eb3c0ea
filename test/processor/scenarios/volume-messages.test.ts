import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyVolumeError } from '../../../processor/scenarios/volume-messages.ts';

interface Case {
  readonly reason?: string;
  readonly text: string;
  readonly cause: string | undefined;
  readonly specific?: boolean;
}

const cases: readonly Case[] = [
  // Objects.
  { text: 'MountVolume.SetUp failed for volume "config" : configmap "redis-cofig" not found', cause: 'missing_configmap' },
  { text: 'MountVolume.SetUp failed for volume "v" : configmaps "absent" not found', cause: 'missing_configmap' },
  { text: 'MountVolume.SetUp failed for volume "server-certificate" : secret "eric-sc-monitor-server-certificate" not found', cause: 'missing_secret' },
  { text: 'MountVolume.SetUp failed for volume "v" : secrets "absent" not found', cause: 'missing_secret' },
  {
    text: 'MountVolume.MountDevice failed for volume "pv-smb" : fetching NodeStageSecretRef shop/smbcreds failed: kubernetes.io/csi: failed to find the secret smbcreds in the namespace shop with error: secrets "smbcreds" not found',
    cause: 'missing_secret',
  },
  { text: 'MountVolume.SetUp failed for volume "azure" : Couldn\'t get secret default/azure-secret', cause: 'mount_failed' },
  {
    text: 'MountVolume.SetUp failed for volume "secrets" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod shop/web, err: rpc error: code = Unknown desc = Failed to fetch secret from all regions: ResourceNotFoundException: Secrets Manager can\'t find the specified secret.',
    cause: 'missing_secret',
  },
  {
    text: 'MountVolume.SetUp failed for volume "secrets" : rpc error: code = Unknown desc = failed to get secretproviderclass shop/kv, error: SecretProviderClass.secrets-store.csi.x-k8s.io "kv" not found',
    cause: 'missing_secret',
  },
  { text: 'MountVolume.SetUp failed for volume "config-volume" : configmap references non-existent config key: missing-key', cause: 'missing_key' },
  { text: 'MountVolume.SetUp failed for volume "s" : references non-existent secret key: tls.crt', cause: 'missing_key' },
  {
    text: 'MountVolume.SetUp failed for volume "kube-api-access-x" : failed to fetch token: serviceaccounts "builder" not found',
    cause: 'missing_service_account',
  },
  {
    text: 'MountVolume.SetUp failed for volume "s" : secrets "x" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "shop": no relationship found between node \'n1\' and this object',
    cause: 'rbac_forbidden',
  },
  { text: 'MountVolume.SetUp failed for volume "kube-api-access-4kq" : object "shop"/"kube-root-ca.crt" not registered', cause: undefined },
  { text: 'MountVolume.SetUp failed for volume "cfg" : failed to sync configmap cache: timed out waiting for the condition', cause: undefined },
  {
    text: 'MountVolume.SetUp failed for volume "kube-api-access-4kq" : [failed to fetch token: Post "https://10.0.0.1/token": net/http: TLS handshake timeout, failed to sync configmap cache: timed out waiting for the condition]',
    cause: 'mount_failed',
  },
  // Volumes that are not there.
  { text: 'MountVolume.SetUp failed for volume "data" : persistentvolumeclaim "nonexistent-dataset" not found', cause: 'missing_volume' },
  {
    text: 'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC shop/data: PVC is not bound',
    cause: 'missing_volume',
  },
  {
    text: 'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC shop/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
    cause: 'missing_volume',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-3a9f2c1e" : rpc error: code = NotFound desc = volume not found',
    cause: 'missing_volume',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = Could not attach volume "vol-0a1" to node "i-0b": InvalidVolume.NotFound: The volume \'vol-0a1\' does not exist.',
    cause: 'missing_volume',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : googleapi: Error 404: The resource \'projects/p/zones/z/disks/gke-x\' was not found, notFound',
    cause: 'missing_volume',
  },
  { text: 'MountVolume.WaitForAttach failed for volume "pv" : rbd: image kubernetes-dynamic-pvc-x not found', cause: 'missing_volume' },
  {
    text: 'MountVolume.SetUp failed for volume "efs" : rpc error: code = Internal desc = Could not mount "fs-1:/" at "/x": Failed to resolve "fs-1.efs.eu-west-1.amazonaws.com"',
    cause: 'mount_failed',
  },
  // Attachment.
  {
    reason: 'FailedAttachVolume',
    text: 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another',
    cause: 'volume_attach_failed',
  },
  { reason: 'FailedAttachVolume', text: 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) web-0', cause: 'volume_attach_failed' },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-a" : rpc error: code = Aborted desc = volume is not ready for workloads',
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-7" : rpc error: code = Internal desc = failed to publish volume: volume is already attached to a server, please detach it first (service_error)',
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : CSINode node-a does not contain driver driver.longhorn.io',
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : timed out waiting for external-attacher of disk.csi.azure.com CSI driver to attach volume /subscriptions/s/disks/d',
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = NotFound desc = Instance "i-0abc" not found',
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: "AttachVolume.Attach failed for volume \"k8s-10f368fb82\" : rpc error: code = FailedPrecondition desc = export '35' in access zone 'az' already has other clients added to it, and the access mode is SINGLE_NODE_MULTI_WRITER, thus the request fails",
    cause: 'volume_attach_failed',
  },
  {
    reason: 'FailedMount',
    text: 'AttachVolume.Attach failed for volume "pvc-12ff" : disk 4e41d530 is attached to a different instance (9454752c)',
    cause: 'volume_attach_failed',
  },
  { reason: 'FailedAttachVolume', text: 'AttachVolume.Attach failed for volume "pv" : attachdetachment timeout for volume d-1', cause: 'volume_attach_failed' },
  { text: 'MountVolume.WaitForAttach failed for volume "pvc-1" : volume attachment is being deleted', cause: 'volume_attach_failed' },
  {
    reason: 'FailedAttachVolume',
    text: 'Node has reached its volume attachment limit, rejecting pod. unmounted volumes=[data]',
    cause: 'volume_attach_failed',
  },
  {
    text: 'MountVolume.MountDevice failed for volume "d-x" : rpc error: code = Internal desc = NodeStageVolume: ADController Enabled, but disk d-x can\'t be found: disk attached but not found by serial x',
    cause: 'volume_attach_failed',
  },
  // Mounts.
  { text: 'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /no/such/dir is not a directory', cause: 'mount_failed' },
  {
    text: 'MountVolume.MountDevice failed for volume "pvc-c" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name driver.longhorn.io not found in the list of registered CSI drivers',
    cause: 'mount_failed',
  },
  {
    text: 'MountVolume.SetUp failed for volume "pvc-3a" : rpc error: code = Internal desc = Could not mount "/dev/disk/by-id/x": mount failed: exit status 32\nmount: /var/lib/kubelet/pods/x/mount: wrong fs type, bad option, bad superblock',
    cause: 'mount_failed',
  },
  {
    text: 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs -o ro,nolock 10.0.0.1:/x /y\nOutput: mount.nfs: Connection timed out',
    cause: 'mount_failed',
  },
  { text: 'MountVolume.MountDevice failed for volume "pv-smb" : rpc error: code = DeadlineExceeded desc = context deadline exceeded', cause: 'mount_failed' },
  {
    text: 'MountVolume.MountDevice failed for volume "pv-smb" : rpc error: code = Aborted desc = An operation with the given Volume ID x already exists',
    cause: 'mount_failed',
  },
  { text: 'MountVolume.SetUp failed for volume "pvc-3" : applyFSGroup failed for vol pvc-3: lstat /x/mount: no such file or directory', cause: 'mount_failed' },
  { text: 'MountVolume.SetUp failed for volume "gv" : endpoints "glusterfs-cluster" not found', cause: 'mount_failed' },
  { reason: 'FailedMapVolume', text: 'MapVolume.SetUpDevice failed for volume "pvc-1" : blkUtil.AttachFileDevice failed', cause: 'mount_failed' },
  {
    text: 'Unable to attach or mount volumes: unmounted volumes=[azure], unattached volumes=[default-token-xmf5m azure]: timed out waiting for the condition',
    cause: 'mount_failed',
    specific: false,
  },
  {
    text: 'Unable to attach or mount volumes: unmounted volumes=[x], unattached volumes=[], failed to process volumes=[]: context deadline exceeded',
    cause: 'mount_failed',
    specific: false,
  },
  {
    text: 'MountVolume.SetUp failed for volume "secrets-store-inline" : rpc error: code = Unknown desc = mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t tmpfs tmpfs /var/lib/kubelet/pods/7e/volumes/kubernetes.io~csi/secrets-store-inline/mount\nOutput: mount: /var/lib/kubelet/pods/7e/volumes/kubernetes.io~csi/secrets-store-inline/mount: mount point does not exist.',
    cause: 'mount_failed',
  },
  {
    text: 'MountVolume.SetUp failed for volume "pv" : mount failed: exit status 32\nOutput: mount: /var/lib/kubelet/pods/a/volumes/x: special device /dev/xvdba does not exist.',
    cause: 'mount_failed',
  },
  {
    text: 'Unable to mount volumes for pod "web_shop(c83e)": timeout expired waiting for volumes to attach or mount for pod "shop"/"web". list of unmounted volumes=[data].',
    cause: 'mount_failed',
    specific: false,
  },
  {
    text: 'MountVolume.NewMounter initialization failed for volume "s" : volume mode "Ephemeral" not supported by driver secrets-store.csi.k8s.io (no CSIDriver object)',
    cause: 'mount_failed',
  },
  {
    reason: 'FailedAttachVolume',
    text: "AttachVolume.Attach failed for volume \"pv-shared\" : googleapi: Error 400: RESOURCE_IN_USE_BY_ANOTHER_RESOURCE - The disk resource 'projects/p/disks/d' is already being used by 'projects/p/instances/i'",
    cause: 'volume_attach_failed',
  },
  // Denied.
  {
    text: 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32\nOutput: mount.nfs: access denied by server while mounting 10.0.0.1:/export',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.MountDevice failed for volume "azurefile" : rpc error: code = Internal desc = volume(u) mount "//x/y" on "/z" failed with mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t cifs -o dir_mode=0777,<masked> //x/y /z\nOutput: mount error(13): Permission denied',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.MountDevice failed for volume "pvc-0b" : rpc error: code = Internal desc = no key for storage account(f) under resource group(g), err Retriable: false, HTTPStatusCode: 403, RawError: {"error":{"code":"AuthorizationFailed"}}',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.SetUp failed for volume "juicefs-pv" : rpc error: code = Internal desc = Could not mount juicefs: juicefs auth error: Failed to fetch configuration for volume \'juicefs-pv\', the token or volume is invalid.',
    cause: 'access_denied',
  },
  {
    reason: 'FailedAttachVolume',
    text: 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = Could not attach volume "vol-1" to node "i-1": UnauthorizedOperation: You are not authorized to perform this operation.',
    cause: 'access_denied',
  },
  {
    reason: 'FailedAttachVolume',
    text: "AttachVolume.Attach failed for volume \"pv\" : googleapi: Error 403: Required 'compute.disks.use' permission for 'projects/p/disks/d'",
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.SetUp failed for volume "kv" : rpc error: code = Unknown desc = failed to mount objects, error: keyvault.BaseClient#GetSecret: Failure responding to request: StatusCode=403 -- Original Error: Code="Forbidden" Message="does not have secrets get permission on key vault"',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.SetUp failed for volume "cephfs" : mount failed: exit status 1\nOutput: mount error 1 = Operation not permitted',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.SetUp failed for volume "azure-kv" : mount command failed, status: Failure, reason: azurekeyvault-flexvolume failed, Access denied. Caller was not found on any access policy.',
    cause: 'access_denied',
  },
  {
    text: 'MountVolume.SetUp failed for volume "https-provider" : rpc error: code = Unknown desc = failed to mount objects, error: keyvault.BaseClient#GetSecret: Service returned an error. Status=403 Code="Forbidden" Message="Caller is not authorized to perform action on resource."',
    cause: 'access_denied',
  },
  // Read only.
  { text: 'MountVolume.SetUp failed for volume "cni-bin" : mkdir /opt/cni: read-only file system', cause: 'readonly_volume' },
  {
    text: 'MountVolume.MountDevice failed for volume "pv" : mount failed: exit status 32\nOutput: mount: /dev/sdb is write-protected but explicit read-write mode requested',
    cause: 'readonly_volume',
  },
  { text: 'MountVolume.SetUp failed for volume "pv" : mount: /x: cannot remount /dev/vdb read-write, is write-protected.', cause: 'readonly_volume' },
];

for (const { reason = 'FailedMount', text, cause, specific } of cases) {
  test(`${reason}: ${text.slice(0, 160).replaceAll('\n', ' ')}`, () => {
    const meaning = classifyVolumeError(reason, text);
    assert.equal(meaning?.cause, cause);
    if (specific !== undefined) assert.equal(meaning?.specific, specific);
  });
}

const trickyNames = ['secret', 'db-secret', 'configmap', 'access-denied', 'readonly', 'disk', 'image-not-found', 'attach-limit', 'instance'];
test('takes no word of the name of a volume, a claim or an object for a word of the answer', () => {
  const answers = [
    ['missing_volume', 'rpc error: code = NotFound desc = volume not found'],
    ['mount_failed', 'rpc error: code = DeadlineExceeded desc = context deadline exceeded'],
    ['mount_failed', 'failed to fetch token: pod "web-1" not found'],
    ['missing_configmap', 'configmap "NAME" not found'],
    ['missing_secret', 'secret "NAME" not found'],
    ['missing_volume', 'persistentvolumeclaim "NAME" not found'],
    ['mount_failed', 'mkdir /var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/NAME: no space left on device'],
  ] as const;
  for (const name of trickyNames) {
    for (const [cause, answer] of answers) {
      const text = `MountVolume.SetUp failed for volume "${name}" : ${answer.replace('NAME', name)}`;
      assert.equal(classifyVolumeError('FailedMount', text)?.cause, cause, text);
    }
  }
});
