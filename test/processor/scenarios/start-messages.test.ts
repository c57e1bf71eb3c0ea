import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../../collector/objects.ts';
import type { StartStage } from '../../../processor/scenarios/start-messages.ts';
import { classifyStartError, coreOf } from '../../../processor/scenarios/start-messages.ts';

const CONTAINERD =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ';
const CRIO = 'container create failed: time="2022-08-31T10:15:03Z" level=error msg="';
const DOCKER =
  'failed to start container "app": Error response from daemon: OCI runtime create failed: container_linux.go:349: starting container process caused ';
const tiny: Container = { name: 'app', resources: { limits: { memory: '128m' } } };
const roomy: Container = { name: 'app', resources: { limits: { memory: '128Mi' } } };

interface Case {
  readonly stage?: StartStage;
  readonly text: string;
  readonly cause: string;
  readonly containers?: readonly Container[];
}

const cases: readonly Case[] = [
  // Commands over runtimes and runc versions.
  { text: `${CONTAINERD}exec: "serve-app": executable file not found in $PATH: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}error during container init: exec: "kube-controller-manegaar": executable file not found in $PATH: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}exec: "/opt/app/start.sh": stat /opt/app/start.sh: no such file or directory: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}exec: "/app/image.binary": stat /app/image.binary: not a directory: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}exec: "/entrypoint.sh": permission denied: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}exec: "java -jar app.jar": executable file not found in $PATH: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}exec: "/app": is a directory: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}chdir to cwd ("/srv/app") set in config.json failed: no such file or directory: unknown`, cause: 'bad_command' },
  // Working directories, by what says so and by the spec.
  { text: `${CONTAINERD}error during container init: mkdir /etc/passwd: not a directory: unknown`, cause: 'bad_command' },
  { text: `${CONTAINERD}error during container init: mkdir /root/work: permission denied: unknown`, cause: 'bad_command' },
  { text: `${DOCKER}"process_linux.go:545: container init caused: mkdir /etc/passwd/x: not a directory": unknown`, cause: 'bad_command' },
  { text: 'Error response from daemon: Cannot mkdir: /etc/passwd is not a directory', cause: 'bad_command' },
  { text: `Error response from daemon: the working directory 'srv' is invalid, it needs to be an absolute path`, cause: 'bad_command' },
  { text: `${CRIO}cannot set working directory to /srv/app: No such file or directory"`, cause: 'bad_command' },
  {
    text: 'mkdir /var/lib/containers/storage/overlay/5f2/merged/etc/passwd: not a directory',
    cause: 'bad_command',
    containers: [{ name: 'app', workingDir: '/etc/passwd/app' }],
  },
  {
    text: 'mkdir /var/lib/containers/storage/overlay/5f2/merged/data: no space left on device',
    cause: 'runtime_error',
    containers: [{ name: 'app', workingDir: '/etc/passwd/app' }],
  },
  { text: `${CONTAINERD}error during container init: mkdir /sys/fs/cgroup/x: no such file or directory: unknown`, cause: 'runtime_error' },
  {
    text: 'failed to create containerd task: failed to create shim task: mkdir /run/containerd/io.containerd.runtime.v2.task/k8s.io/x: no space left on device',
    cause: 'runtime_error',
  },
  {
    text: `${CONTAINERD}error during container init: error mounting "/v" to rootfs at "/etc/passwd/x": mkdir /etc/passwd/x: not a directory: unknown`,
    cause: 'mount_failed',
  },
  // A directory of a volume onto a file of the image: what is mounted does not fit, wherever its path leads.
  {
    text: `${CONTAINERD}error during container init: error mounting "/var/lib/kubelet/pods/u/volume-subpaths/cfg/app/0" to rootfs at "/app/conf.yaml": mount /v:/app/conf.yaml (via /proc/self/fd/6), flags: 0x5001: not a directory: Are you trying to mount a directory onto a file (or vice-versa)?`,
    cause: 'mount_failed',
  },
  // References of the spec to what is in no ConfigMap and no Secret: the catalogue has no cause for them.
  { stage: 'config', text: 'container sidecar not found', cause: 'other' },
  { stage: 'config', text: 'unsupported container resource : limits.gpu', cause: 'other' },
  { stage: 'config', text: 'unsupported fieldPath: status.color', cause: 'other' },
  {
    text: 'failed to create containerd task: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "nvidia-smi": executable file not found in $PATH: unknown',
    cause: 'bad_command',
  },
  { text: `${CRIO}runc create failed: unable to start container process: exec /deployments/run-java.sh: permission denied"`, cause: 'bad_command' },
  {
    text: `${CRIO}container_linux.go:380: starting container process caused: exec: \\"local-path-provisioner\\": executable file not found in $PATH"`,
    cause: 'bad_command',
  },
  { text: 'container create failed: executable file `serve-app` not found in $PATH: No such file or directory', cause: 'bad_command' },
  { text: 'container create failed: executable file `/app/x` not found: No such file or directory', cause: 'bad_command' },
  { text: 'container create failed: the path `/app/x` exists but it is not executable', cause: 'bad_command' },
  { text: 'container create failed: exec container process `/app/x`: Exec format error', cause: 'bad_command' },
  { text: `${DOCKER}"exec: \\"driver\\": executable file not found in $PATH": unknown`, cause: 'bad_command' },
  { text: `${DOCKER}"exec: \\"/entrypoint.sh\\": permission denied": unknown`, cause: 'bad_command' },
  {
    text: 'failed to create containerd task: failed to create shim task: hcs::System::CreateProcess app: The system cannot find the file specified.: unknown',
    cause: 'bad_command',
  },
  // No command.
  { text: 'failed to generate container "44edac82" spec: failed to generate spec: no command specified', cause: 'missing_command' },
  { text: 'Error response from daemon: No command specified', cause: 'missing_command' },
  { text: 'no command or entrypoint provided, and no CMD or ENTRYPOINT from image', cause: 'missing_command' },
  // Mounts and paths.
  {
    text: `${CONTAINERD}error during container init: error mounting "/var/lib/kubelet/pods/f9/volumes/kubernetes.io~empty-dir/v" to rootfs at "/proc": "/run/containerd/rootfs/proc" cannot be mounted because it is not of type proc: unknown`,
    cause: 'illegal_mount_path',
  },
  {
    text: `${DOCKER}"process_linux.go:545: container init caused: rootfs_linux.go:76: mounting \\"/x\\" to rootfs at \\"/proc/x\\" caused: \\"/var/lib/docker/overlay2/a/merged/proc/x\\" cannot be mounted because it is inside /proc": unknown`,
    cause: 'illegal_mount_path',
  },
  { text: "Error response from daemon: invalid volume specification: destination can't be '/'", cause: 'illegal_mount_path' },
  { text: 'Error response from daemon: Duplicate mount point: /etc/nginx', cause: 'illegal_mount_path' },
  {
    text: 'container create failed: mount `/var/lib/kubelet/pods/f9/volumes/kubernetes.io~empty-dir/v` to `/proc`: Invalid argument',
    cause: 'illegal_mount_path',
  },
  {
    text: `${CONTAINERD}error during container init: error mounting "/var/lib/kubelet/pods/a/volume-subpaths/cfg/app/0" to rootfs at "/data/app.conf": create mountpoint for /data/app.conf mount: open /run/rootfs/data/app.conf: read-only file system: unknown`,
    cause: 'readonly_volume',
  },
  {
    text: `${CRIO}container_linux.go:367: starting container process caused: process_linux.go:495: container init caused: rootfs_linux.go:60: mounting \\"/var/lib/kubelet/pods/e3/volumes/kubernetes.io~csi/s/mount\\" to rootfs at \\"/var/lib/containers/storage/overlay/9a/merged/data/sub\\" caused: mkdir /var/lib/containers/storage/overlay/9a/merged/data/sub: read-only file system"`,
    cause: 'readonly_volume',
  },
  {
    text: 'OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: rootfs_linux.go:76: mounting "/root/nginx.conf" to rootfs at "/etc/nginx/nginx.conf" caused: mount through procfd: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?',
    cause: 'mount_failed',
  },
  {
    text: 'failed to generate container "a" spec: failed to generate spec: failed to stat "/host/data": stat /host/data: no such file or directory',
    cause: 'mount_failed',
  },
  { text: 'Error response from daemon: invalid mount config for type "bind": bind source path does not exist: /data', cause: 'mount_failed' },
  {
    text: 'failed to generate container "a" spec: failed to generate spec: path "/var/lib/kubelet/" is mounted on "/var/lib/kubelet" but it is not a shared mount',
    cause: 'mount_failed',
  },
  {
    text: 'failed to generate container "a" spec: failed to generate spec: failed to stat "/var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/pvc-1/mount": stat /x: host is down',
    cause: 'mount_failed',
  },
  // Security.
  {
    text: 'failed to generate container "a" spec: failed to generate spec opts: failed to generate seccomp spec opts: cannot load seccomp profile "/var/lib/kubelet/seccomp/p.json": open /var/lib/kubelet/seccomp/p.json: no such file or directory',
    cause: 'security_policy',
  },
  { text: 'failed to generate container "a" spec: failed to generate spec opts: apparmor profile not found k8s-apparmor-example', cause: 'security_policy' },
  {
    text: `${CONTAINERD}error during container init: unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file or directory: unknown`,
    cause: 'security_policy',
  },
  {
    text: 'OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: failed to set /proc/self/attr/keycreate on procfs: write /proc/self/attr/keycreate: invalid argument: unknown',
    cause: 'security_policy',
  },
  // Memory.
  { text: `${CONTAINERD}container init was OOM-killed (memory limit too low?): unknown`, cause: 'memory_limit_too_low' },
  { text: 'set memory limit 1048576 too low; should be at least 12582912 bytes', cause: 'memory_limit_too_low' },
  { text: 'Error response from daemon: Minimum memory limit allowed is 6MB', cause: 'memory_limit_too_low' },
  {
    text: `${DOCKER}"process_linux.go:303: getting the final child's pid from pipe caused \\"EOF\\"": unknown`,
    cause: 'memory_limit_too_low',
    containers: [tiny],
  },
  { text: `${DOCKER}"process_linux.go:303: getting the final child's pid from pipe caused \\"EOF\\"": unknown`, cause: 'runtime_error', containers: [roomy] },
  {
    text: `${DOCKER}"process_linux.go:303: copying bootstrap data to pipe caused \\"write init-p: broken pipe\\"": unknown`,
    cause: 'memory_limit_too_low',
    containers: [tiny],
  },
  // The runtime and the node.
  { text: 'failed to reserve container name "app_p_shop_uid_0": name "app_p_shop_uid_0" is reserved for "8f3"', cause: 'runtime_error' },
  { text: 'failed to generate container "35f" spec: failed to generate spec: lstat /dev/tap14: no such file or directory', cause: 'runtime_error' },
  { text: 'context deadline exceeded', cause: 'runtime_error' },
  {
    text: `${CONTAINERD}error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: driver rpc error: timed out: unknown`,
    cause: 'runtime_error',
  },
  {
    text: 'failed to create containerd task: failed to start shim: exec: "containerd-shim-kata-v2": executable file not found in $PATH: unknown',
    cause: 'runtime_error',
  },
  {
    text: `${CRIO}runc create failed: unable to start container process: unable to setup user: cannot set uid to unmapped user in user namespace"`,
    cause: 'runtime_error',
  },
  {
    text: `${CONTAINERD}error during container init: error mounting "cgroup" to rootfs at "/sys/fs/cgroup": mount cgroup:/sys/fs/cgroup: no such file or directory: unknown`,
    cause: 'runtime_error',
  },
  { text: '', cause: 'runtime_error' },
  // Config.
  { stage: 'config', text: 'configmap "late" not found', cause: 'missing_configmap' },
  { stage: 'config', text: 'secret "db" not found', cause: 'missing_secret' },
  { stage: 'config', text: "couldn't find key nope in ConfigMap dep-cm-key/cm", cause: 'missing_key' },
  { stage: 'config', text: "couldn't find key AWS_ACCESS_KEY_ID in Secret volsync-system/pvc-plumber-kopia", cause: 'missing_key' },
  { stage: 'config', text: 'container has runAsNonRoot and image will run as root (pod: "p", container: app)', cause: 'security_policy' },
  {
    stage: 'config',
    text: 'container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: "p")',
    cause: 'security_policy',
  },
  { stage: 'config', text: "container's runAsUser (0) breaks non-root policy", cause: 'security_policy' },
  { stage: 'config', text: 'failed to prepare subPath for volumeMount "data" of container "app"', cause: 'mount_failed' },
  {
    stage: 'config',
    text: 'failed to create subPath directory for volumeMount "data" of container "app": mkdir /x: permission denied',
    cause: 'access_denied',
  },
  {
    stage: 'config',
    text: 'failed to create subPath directory for volumeMount "data" of container "app": mkdir /x: read-only file system',
    cause: 'readonly_volume',
  },
  { stage: 'config', text: 'error SubPath `/etc` must not be an absolute path', cause: 'illegal_mount_path' },
  { stage: 'config', text: 'secrets "x" is forbidden: User "system:node:n1" cannot get resource "secrets"', cause: 'rbac_forbidden' },
  { stage: 'config', text: 'cannot find volume "cache" to mount into container "app"', cause: 'missing_volume' },
  { stage: 'config', text: 'host IP unknown; known addresses: []', cause: 'other' },
  // Sandbox: whatever it says, the pod never got its ground.
  {
    stage: 'sandbox',
    text: 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1e": plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory',
    cause: 'sandbox_failed',
  },
  {
    stage: 'sandbox',
    text: 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up sandbox container "a" network for pod "web": networkPlugin cni failed to set up pod "web_shop" network: failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.254',
    cause: 'sandbox_failed',
  },
  {
    stage: 'sandbox',
    text: 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "k8s.gcr.io/pause:3.6": failed to pull image "k8s.gcr.io/pause:3.6": dial tcp 1.2.3.4:443: i/o timeout',
    cause: 'sandbox_failed',
  },
  { stage: 'sandbox', text: 'Failed to create pod sandbox: rpc error: code = Unknown desc = RuntimeHandler "runsc" not supported', cause: 'sandbox_failed' },
  {
    stage: 'sandbox',
    text: `Failed to create pod sandbox: rpc error: code = Unknown desc = ${CONTAINERD}container init was OOM-killed (memory limit too low?): unknown`,
    cause: 'memory_limit_too_low',
  },
  {
    stage: 'sandbox',
    text: 'network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
    cause: 'sandbox_failed',
  },
];

const DEPENDENCIES = new Set([
  'missing_configmap',
  'missing_secret',
  'missing_key',
  'missing_volume',
  'mount_failed',
  'access_denied',
  'readonly_volume',
  'illegal_mount_path',
]);

for (const { stage = 'container', text, cause, containers } of cases) {
  test(`${stage}: ${text.slice(-150) || '(nothing)'}`, () => {
    const meaning = classifyStartError(stage, text, containers);
    assert.equal(meaning.cause, cause);
    assert.equal(meaning.scenario, DEPENDENCIES.has(cause) ? 'dependency_error' : 'container_create_failure');
  });
}

const trickyNames = ['seccomp-agent', 'oom-killed', 'hook', 'privileged', 'capability', 'read-only', 'mount', 'sysctl'];
test('takes no word of a command or of a container for a word of the error', () => {
  for (const name of trickyNames) {
    const missing = [`exec: "/opt/${name}": stat /opt/${name}: no such file or directory`, `exec: \\"${name} --flag\\": executable file not found in $PATH`];
    for (const text of missing) assert.equal(classifyStartError('container', CONTAINERD + text).cause, 'bad_command', text);
    const device = `failed to generate container "${name}" spec: failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0`;
    assert.equal(classifyStartError('container', device).cause, 'runtime_error', device);
  }
  const shim = 'failed to start shim: exec: "containerd-shim-kata-v2": executable file not found in $PATH';
  assert.equal(classifyStartError('container', shim).cause, 'runtime_error');
});

test('a summary keeps what the runtime said and drops what was put around it', () => {
  assert.equal(
    coreOf(`${CONTAINERD}error during container init: exec: "x": executable file not found in $PATH: unknown`),
    'exec: "x": executable file not found in $PATH',
  );
  assert.equal(coreOf('configmap "late" not found'), 'configmap "late" not found');
});
