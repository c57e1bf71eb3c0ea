/**
 * What the kubelet, the attach-detach controller and CSI drivers mean when a volume of a pod cannot be attached or mounted
 * (signals.md §4). By meaning: the same refusal comes as an errno, as text of mount(8), as a gRPC status or as a cloud's API error.
 */

/** A cause of dependency_error, or of container_create_failure where an identity and not a volume is at fault. */
export type VolumeCause =
  | 'missing_configmap'
  | 'missing_secret'
  | 'missing_key'
  | 'missing_volume'
  | 'volume_attach_failed'
  | 'mount_failed'
  | 'access_denied'
  | 'readonly_volume'
  | 'illegal_mount_path'
  | 'rbac_forbidden'
  | 'missing_service_account';

export interface VolumeMeaning {
  readonly cause: VolumeCause;
  /** The text names a cause of its own; false for the kubelet's summary of what it still waits for. */
  readonly specific: boolean;
}

/** First match wins; a later row's words may occur inside an earlier row's text. */
const MEANINGS: readonly { readonly pattern: RegExp; readonly cause: VolumeCause }[] = [
  // The kubelet itself was refused, or the token of a ServiceAccount that is gone cannot be made.
  { pattern: /is forbidden: user "?system:(?:node|serviceaccount):/i, cause: 'rbac_forbidden' },
  { pattern: /serviceaccounts? "[^"]*" not found/i, cause: 'missing_service_account' },
  // Helpers and drivers that are not there: "not found" is not about the volume.
  {
    pattern:
      /list of registered CSI drivers|driver .{0,60}not found|executable file not found|helper program|provider not found|no such plugin|mount ?point does not exist|special device|endpoints "[^"]*" not found/i,
    cause: 'mount_failed',
  },
  { pattern: /(?:does not contain|not contain) driver|CSINode/i, cause: 'volume_attach_failed' },
  {
    pattern:
      /non-?existent (?:config|secret) key|couldn't find key|references? (?:to )?non-?existent|\bkey "[^"]*" (?:does not exist|not found)|does not point to a valid object|missing (?:key|ID) field|missing "[^"]+" in secret/i,
    cause: 'missing_key',
  },
  { pattern: /config ?maps? "[^"]*" not found|(?<![\w"'/.-])config ?maps?(?![\w-]).{0,120}(?:not found|does not exist)/i, cause: 'missing_configmap' },
  {
    pattern:
      /secrets? "[^"]*" not found|(?<![\w"'/.-])secrets?(?![\w-]).{0,160}(?:not found|does ?n[o']t exist|could not be found)|(?:secret|certificate)notfound|no secret exists|empty response from|can't find the specified secret|secretproviderclass.{0,120}not found/i,
    cause: 'missing_secret',
  },
  {
    pattern:
      /inside \/proc|not of type proc|must not be an absolute path|must not contain ['"]?\.\.|illegal mount path|mount ?path.{0,40}(?:invalid|reserved|must)/i,
    cause: 'illegal_mount_path',
  },
  {
    pattern:
      /read-?only file ?system|write-protected|EROFS|read-write mode requested|cannot (?:re)?mount .{0,160}read-?only|(?:volume|disk|share|device) .{0,60}is read-?only|only supports? read-?only|readonly many/i,
    cause: 'readonly_volume',
  },
  {
    pattern:
      /access ?(?:is )?denied|permission ?denied|not authori[sz]ed|unauthori[sz]ed|authori[sz]ation ?(?:failed|failure|error)|authentication ?(?:failed|failure|error|required)|\bauth error|logon_?failure|login failed|mount error\((?:1|13|126)\)|operation not permitted|\b(?:status ?code|status|error|code)[=: "]*403|403 forbidden|does not have (?:\S+ ){0,4}(?:permission|authori[sz]ation|access)|forbidden\.ram|no permission|invalid credentials|no valid (?:credential|provider)s?|nocredentialproviders|default credentials|no ec2 imds role|iam role must|(?:token|credential)s? .{0,20}expired|expired ?token|failed to authenticate|AADSTS\d|identity not found|invalid role name|missing client token|wrong password|ret=-1(?:3)?\b/i,
    cause: 'access_denied',
  },
  {
    pattern:
      /persistentvolume(?:claim)?s? "[^"]*" (?:is )?not (?:found|bound)|error processing PVC|PVC (?:is )?not bound|invalid(?:volume|disk|diskid|filesystem)\.?not_?found/i,
    cause: 'missing_volume',
  },
  // A node or instance that cannot be found is no missing volume, nor is a disk whose device does not show up.
  {
    pattern:
      /(?:instance|node|vm|virtual machine|server|droplet)s?\b[^:]{0,60}(?:not found|wasn't found|does not exist|could not be found)|find (?:the )?(?:instance|node|vm|virtual machine|server)\b|split nodeid|not found by serial|(?:not|n't)(?: been)?(?: yet)? attached|device path|devicepath|attached but|find .{0,20}\bluns?\b/i,
    cause: 'volume_attach_failed',
  },
  {
    pattern:
      /^path "[^"]*" does not exist|code = notfound|filesystemnotfound|(?<![/.\w~-])(?:volume|disk|snapshot|share|file ?system|bucket|pv|image|export)s?\b(?![/~]).{0,80}(?:not found|does ?n[o']t exist|could not be found|no longer exists)|(?:cannot|can't|could not|unable to|failed to) find .{0,20}(?:volume|disk)|no such volume|error 404|notfound, /i,
    cause: 'missing_volume',
  },
];

const ATTACH =
  /attachvolume|multi-attach|waitforattach|already (?:exclusively )?attached|external-attacher|failed to attach|attach(?:ment|ing)? .{0,80}(?:fail|error|timed out|limit|deleted|in progress)|volumeinuse|attachment limit|(?:not|n't)(?: been)?(?: yet)? attached|failed to (?:get|find) attachment|volumeattachments?\b/i;
const SUMMARY = /^(?:unable to (?:attach or )?mount volumes|timeout expired waiting for volumes)/i;
/** A pod being deleted, or a kubelet that is a moment behind, asks for objects it has not registered: signals.md §4 and §21. */
const NOISE =
  /object "[^"]*"\/"[^"]*" not registered|(?:failed to sync (?:configmap|secret)|couldn't propagate object) cache(?:: timed out waiting for the condition)?/gi;

/** A quota or a request rate of a cloud is used up: its API answers 403 as it does to strangers, but nothing is denied. */
const LIMIT = /limit ?exceeded|exceeded limit|rate ?limit|throttl|\bmax(?:imum)? number of|per-\w+ limit|reach(?:ed|es)? its limit/i;

/** undefined: the text means nothing by itself, unless it goes on. Total: any other text is a failed attachment or mount. */
export function classifyVolumeError(reason: string, text: string): VolumeMeaning | undefined {
  const specific = !SUMMARY.test(text);
  const whole = withoutNames(text);
  const answer = whole.replace(NOISE, '');
  if (answer !== whole && !/\w/.test(answer)) return undefined;
  const known = LIMIT.test(answer) ? undefined : MEANINGS.find(({ pattern }) => pattern.test(answer));
  if (known !== undefined) return { cause: known.cause, specific: specific || known.cause !== 'mount_failed' };
  return {
    cause: reason === 'FailedAttachVolume' || (specific && ATTACH.test(text.replace(/for volume "[^"]*"/, ''))) ? 'volume_attach_failed' : 'mount_failed',
    specific,
  };
}

/** The answer alone: names, paths and the command that was run hold the words of answers, such as a volume named `secret` or `-o ro`. */
function withoutNames(text: string): string {
  return text
    .replace(/^mounting (?:command|arguments): .*$/gim, '')
    .replace(/^[\w.]+(?: initialization)? failed for volume "[^"]*" ?: ?/, '')
    .replace(/\bvolumes=\[[^\]]*\]|(?<=\bPVC )[\w.-]+\/[\w.-]+|kubernetes\.io~[\w-]+/g, '');
}
