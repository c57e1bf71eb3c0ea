/**
 * What a kubelet or a runtime means when it cannot create or start a container: containerd, CRI-O, dockershim and cri-dockerd over
 * runc and crun (signals.md §4, §5.2, §10.1). The core text is the OCI runtime's; wrappers and the state it lands in differ.
 */
import type { Container } from '../../collector/objects.ts';
import { parseQuantity, toUnits } from '../capacity/quantity.ts';

/** Where it failed: the spec itself, a container, or the sandbox of the pod. */
export type StartStage = 'config' | 'container' | 'sandbox';

export interface StartMeaning {
  readonly scenario: 'dependency_error' | 'container_create_failure';
  readonly cause: string;
}

const depends = (cause: string): StartMeaning => ({ scenario: 'dependency_error', cause });
const creates = (cause: string): StartMeaning => ({ scenario: 'container_create_failure', cause });

type Row = readonly [pattern: RegExp, meaning: StartMeaning];

/** CreateContainerConfigError: the kubelet could not make a container config of the spec. */
const CONFIG: readonly Row[] = [
  [/couldn't find key|non-?existent (?:config|secret) key|variable key .{0,300}not found/i, depends('missing_key')],
  [/config ?maps? "[^"]*" not found/i, depends('missing_configmap')],
  [/secrets? "[^"]*" not found/i, depends('missing_secret')],
  [/is forbidden: user/i, creates('rbac_forbidden')],
  [
    /runasnonroot|run as root|non-?root|non-numeric user|runasuser|run as administrator|ContainerAdministrator|apparmor|seccomp|procmount/i,
    creates('security_policy'),
  ],
  [/subpath.{0,200}(?:must not be an absolute|must not contain|\.\.)/i, depends('illegal_mount_path')],
  [/read-?only file ?system/i, depends('readonly_volume')],
  [/subpath.{0,300}permission denied/i, depends('access_denied')],
  [/cannot find volume|volume .{0,80}not found/i, depends('missing_volume')],
  // The only variables that a kubelet expands here are those of a subPathExpr.
  [/subpath|^missing value for |failed to sync (?:configmap|secret) cache|hostpath|^(?:l?stat|open|mkdir) \//i, depends('mount_failed')],
];

/** The command could not be executed; crun and kata put it in words of their own, Windows in the host compute service's. */
const EXEC =
  /\bexec:? \\*["'`]?[^\s"'`]*.{0,200}?(?:not found|no such file|permission denied|is a directory|not a directory|exec format error|invalid argument|input\/output|argument list too long|text file busy|symbolic links)|finding executable|cannot find `.{0,80}` in \$path|executable file .{0,200}not found|exec(?:utable)? .{0,80}(?:not found in \$?path|exec format error)|exists but it is not executable|is not a regular file|exec container process|exec user process|eaccess |chdir to |cannot chdir|open executable|system cannot find the (?:file|path)|createprocess.{0,200}(?:not a valid|access is denied|name is invalid|not recognized|\(0x(?:[235]|c1|10b)\))|failed to load .{0,80}no such file|enoent: no such file|starting container process caused.{0,20}exec/i;

/**
 * The working directory, which the runtime makes or enters right before the command: what its init process cannot make at a place that
 * is none of the runtime's own, and what says so. Where the spec names it, see isWorkingDirectory.
 */
const WORKING_DIRECTORY =
  /working directory|\b(?:creating|create|setup|set up) (?:cwd|workdir)\b|cannot mkdir: |container init(?: caused)?: \\?"?mkdir \/(?!sys\b|proc\b|dev\b|run\/|var\/(?:lib|run)\/)/i;

/** The limit killed the process before it ran, or the runtime refuses to try; also of a sandbox, which lives in the pod's cgroup. */
const MEMORY =
  /was oom-?killed|oom-?killed \(|killed by oom|memory limit (?:is )?too low|minimum memory limit|set memory limit \d+ too low|memory limit lower than|unable to set memory limit|memory\.(?:limit_in_bytes|max)\b.{0,80}(?:invalid argument|busy)/i;

/** A container: CreateContainerError, RunContainerError, StartError, ContainerCannotRun. Mounts come first, since the command comes after. */
const CONTAINER: readonly Row[] = [
  [MEMORY, creates('memory_limit_too_low')],
  // Hooks and shims are the node's programs, not the pod's command, and snapshots are the runtime's own.
  [
    /(?:running|executing) (?:\w+ )?hook|hook (?:failed|#\d)|fork\/exec|exec: \\*"(?:containerd-shim|runc|crun|nvidia-container)|failed to start shim(?! task)|nvidia-container|containerd\.snapshotter|failed to stat parent:|unable to retrieve OCI runtime error \(open|\b(?:proc|sysfs|cgroup2?|mqueue|devpts|tmpfs)\\*" to rootfs|mount `(?:proc|sysfs|cgroup2?|mqueue|devpts|tmpfs|overlay)`/i,
    creates('runtime_error'),
  ],
  [
    /inside \/proc|not of type proc|destination can't be '\/'|duplicate mount point|mount (?:destination|path|target).{0,80}(?:must be absolute|not absolute|invalid|reserved)|invalid mount path/i,
    depends('illegal_mount_path'),
  ],
  [/(?:kubelet\/pods|volumes?|hostpath).{0,300}to (?:rootfs at )?\\*["'`]?\/?(?:proc|sys)(?:\/[^\s"'`\\]*)?\\*["'`]/i, depends('illegal_mount_path')],
  [/(?:mount ?point|mounting|mount|mkdirat|mkdir).{0,400}read-?only file ?system/i, depends('readonly_volume')],
  [/directory onto a file|(?:mounting|mount ).{0,400}not a directory/i, depends('mount_failed')],
  [
    /bind source path does not exist|not a shared (?:or slave )?mount|error mounting|rootfs_linux\.go:\d+: mounting|failed to (?:stat|mkdir|resolve symlink) |relabel .{0,300}failed|relabel failed|image volume|recursive read-only mount|path does not exist and|lsetxattr|mount_setattr|idmap|mount `/i,
    depends('mount_failed'),
  ],
  [/seccomp|apparmor|selinux|keycreate|capabilit|\bcapset\b|apply caps|sysctl|no_?new_?priv|privileged/i, creates('security_policy')],
  [/runasnonroot|run as root|non-numeric user/i, creates('security_policy')],
  [EXEC, creates('bad_command')],
  [WORKING_DIRECTORY, creates('bad_command')],
  [
    /no command (?:or entrypoint )?(?:specified|provided)|nor any CMD or ENTRYPOINT|\bargs`? must not be empty|executable path not specified/i,
    creates('missing_command'),
  ],
  [/is forbidden: user/i, creates('rbac_forbidden')],
];

/** Symptoms of an init process that a tiny memory limit kills before it can say so (opencontainers/runc issues; runc names it since 1.0). */
const DIED_EARLY =
  /bootstrap data to pipe|final child's pid|init-p: (?:broken pipe|connection reset)|read init-p|cannot allocate memory|unexpected EOF|starting init process caused|caused:? \\*"?(?:exit status 2|EOF)|container init caused:? ?[\\"]*(?:: unknown)?\s*$|runc did not terminate|signal: killed/i;
/** Below this a limit cannot hold runc's own start-up, bytes: its binary and stack need 6 to 12 MB (CRI-O refuses less than 12 MiB). */
const TINY_BYTES = 16 * 1_048_576;

/** Total: a container stage of no known text is runtime_error, a sandbox stage is sandbox_failed, a config stage is other. */
export function classifyStartError(stage: StartStage, text: string, containers: readonly Container[] = []): StartMeaning {
  if (stage === 'config') return meaningIn(CONFIG, text) ?? creates('other');
  const known = stage === 'sandbox' ? meaningIn([[MEMORY, creates('memory_limit_too_low')]], text) : meaningIn(CONTAINER, withoutCommands(text));
  if (known !== undefined) return known;
  if (stage === 'container' && containers.some((container) => isWorkingDirectory(text, container))) return creates('bad_command');
  if (DIED_EARLY.test(text) && containers.some(hasTinyLimit)) return creates('memory_limit_too_low');
  return creates(stage === 'sandbox' ? 'sandbox_failed' : 'runtime_error');
}

/** What could not be made is the container's working directory or above it; CRI-O names it by its place on the node. */
function isWorkingDirectory(text: string, { workingDir }: Container): boolean {
  const path = /\bmkdir(?:at|all)? ["'`]?([^\s"'`:]+)/i.exec(text)?.[1];
  if (path === undefined || workingDir === undefined || !workingDir.startsWith('/')) return false;
  const names = workingDir.split('/').filter((name) => name !== '');
  return names.some((_, index) => path.endsWith(`/${names.slice(0, index + 1).join('/')}`));
}

/** Programs of the node, which are no command of a pod. */
const OF_NODE = /^(?:\S*\/)?(?:containerd-shim|runc|crun|runsc|kata|youki|nvidia-container|apparmor_parser)/;

/** Without the names of containers and of the programs that could not be run: they may hold any word, such as `hook` or `seccomp`. */
function withoutCommands(text: string): string {
  return text
    .replace(/\b(exec: ?\\*|executable (?:file )?)(["'`])(.*?)(\\*\2)/g, (all, before: string, quote: string, name: string, after: string) =>
      OF_NODE.test(name) ? all : `${before}${quote}<command>${after}`,
    )
    .replace(/\bcontainer "[^"]*"/g, 'container')
    .replace(/\b(exec|stat|eaccess) \/[^\s:"'`]+/g, '$1 /<path>');
}

function meaningIn(rows: readonly Row[], text: string): StartMeaning | undefined {
  return rows.find(([pattern]) => pattern.test(text))?.[1];
}

/** Also `128m`, a tenth of a byte: the typing error that people make. */
function hasTinyLimit(container: Container): boolean {
  const limit = container.resources?.limits?.['memory'];
  const parsed = parseQuantity(limit);
  return parsed.ok && toUnits(parsed.nano) < TINY_BYTES;
}

/** The part of an error that says something: without what runtimes, shims and gRPC put around it. For a summary, never for judging. */
export function coreOf(text: string): string {
  return text
    .replace(
      /^.*(?:unable to start container process|starting container process caused|runc create failed|OCI runtime create failed): ?"?(?:error during container init: )?/s,
      '',
    )
    .replace(/rpc error: code = \w+ desc = /g, '')
    .replace(/: unknown$/, '');
}
