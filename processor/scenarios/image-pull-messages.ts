/**
 * What the error of an image pull means. Runtimes wrap the registry's or Go's own words in layers of their own (signals.md §3),
 * so each family below looks for the words that carry the meaning, anywhere in the text. Families are tried in order: an error
 * about the transport stands inside an error about authorization or lookup and decides, so it comes first; where the kubelet
 * joins the errors of several credentials as `[a, b]`, the order picks the more specific one as well.
 */
import { rememberTexts } from './remembered.ts';
import type { Confidence } from './scenario.ts';

export type PullCause =
  | 'image_not_found'
  | 'invalid_image_name'
  | 'registry_auth'
  | 'registry_network'
  | 'registry_unavailable'
  | 'registry_tls'
  | 'pull_timeout'
  | 'pull_throttled'
  | 'image_never_pull'
  | 'no_space'
  | 'platform_mismatch'
  | 'image_corrupt'
  | 'other';

export interface PullVerdict {
  readonly cause: PullCause;
  readonly detail: '' | 'credential_plugin' | 'dns' | 'refused' | 'public_endpoint_acl' | 'kubelet_qps' | 'registry_limit' | 'signature';
  readonly confidence: Confidence;
  /** The next attempt may succeed by itself, so that one failure is no incident yet. */
  readonly transient: boolean;
  /** The registry gives this answer for a private repository and for one that does not exist (signals.md §3.3). */
  readonly ambiguous: boolean;
}

interface Family extends Partial<Omit<PullVerdict, 'cause'>> {
  readonly cause: PullCause;
  readonly words: RegExp;
}

const TRANSIENT: ReadonlySet<PullCause> = new Set(['registry_network', 'registry_unavailable', 'pull_timeout', 'pull_throttled', 'other']);

const FAMILIES: readonly Family[] = [
  {
    cause: 'invalid_image_name',
    words:
      /invalid reference format|could ?n[o']t parse (?:image|reference)|failed to apply default image tag|invalidimagename|repository name .{0,300}must be|invalid (?:image|repository) name|invalid tag format|\bname[ _]invalid\b|missing image name|short[ -]?name .{0,300}did not resolve|short[ -]?name (?:mode is enforcing|resolution enforced)|error parsing image name/,
  },
  { cause: 'image_never_pull', words: /pull policy of never|errimageneverpull/ },
  {
    cause: 'no_space',
    words: /no space left on device|disk quota exceeded|not enough (?:free )?(?:disk )?space|insufficient (?:disk )?space|free data blocks/,
  },
  { cause: 'pull_throttled', detail: 'kubelet_qps', words: /pull qps exceeded/ },
  {
    cause: 'pull_throttled',
    detail: 'registry_limit',
    words: /too ?many ?requests|\b429\b|rate[ -]?limit|rate exceeded|pull limit|requestlimitexceeded|throttl|quota exceeded|exceeded .{0,40}quota/,
  },
  {
    cause: 'platform_mismatch',
    words:
      /no match for platform|no supported platform|operating system .{0,40}(?:when requesting|is not supported)|no matching manifest for|no image found in|no child with platform|(?:not match|not provide) the specified platform|cannot be used on this platform|image operating system|unsupported (?:os|platform|architecture)|incompatible with .{0,60}host|exec format error/,
  },
  {
    cause: 'image_corrupt',
    detail: 'signature',
    words:
      /signature ?validation|signatures? .{0,60}(?:required|verif|invalid|missing|mismatch|exists?)|no .{0,30}signatures?|not signed (?:in|by|with)|rejected by policy|source image rejected(?!: (?:error )?reading signature)|trust data|image verifier|cosign|sigstore|notation\b/,
  },
  {
    cause: 'image_corrupt',
    words:
      /unexpected (?:commit )?(?:digest|size)|digest (?:mismatch|did not match|does not match|verification)|not match .{0,40}digest|(?:blob )?size mismatch|wrong (?:blob )?(?:size|digest)|got digest|not match expected|diff ?ids?\b.{0,60}(?:match|claims)|config claims|invalid image config|image has no layers|unimplemented manifest|digest of .{0,60}not match|verification failed for digest|size validation|invalid (?:tar|gzip) ?header|(?:gzip|zstd|flate|archive\/tar): |checksum|wrong diff ?id|content digest .{0,120}not found|corrupt(?!s)|(?:extract|register|(?<!pull and )unpack) (?:layer|image).{0,600}unexpected eof|media ?type|unsupported (?:manifest|image-specific)|manifest[ _]invalid|schema ?(?:version )?1\b|unsupported schema/,
  },
  // The runtime's own socket: nothing is known of the registry.
  { cause: 'other', words: /dial unix|(?:containerd|docker|crio|dockershim)\.sock|cannot connect to the docker daemon|transport is closing/ },
  { cause: 'registry_auth', detail: 'credential_plugin', words: /docker-credential|error getting credentials|credential (?:provider|helper|plugin)/ },
  {
    cause: 'registry_tls',
    words:
      /x509|certificate|\b(?:tls|ssl):|\bssl\b|http response to https client|http request (?:to an https server|was sent to https)|\btlsconfig\b|\b(?:ca|cert) file|\bca cert|cert pool|malformed http response|handshake failure/,
  },
  // Access lists of registry endpoints, as Azure's says it.
  { cause: 'registry_network', detail: 'public_endpoint_acl', words: /client with ip .{0,60}not allowed|not in the (?:ip )?(?:allow|white) ?list/ },
  {
    cause: 'registry_network',
    detail: 'dns',
    words:
      /no such host|server misbehaving|(?:temporary failure in )?name resolution|name or service not known|could not resolve|dial (?:tcp|udp)[46]?: lookup |\blookup \S+ on \S+:53\b/,
  },
  { cause: 'registry_network', detail: 'refused', words: /connection refused|actively refused/ },
  {
    cause: 'registry_network',
    words:
      /no route to host|(?:network|host) is (?:unreachable|down)|registry \S+ is blocked|(?<!read: )connection timed out|connectex|dial (?:tcp|udp)[^"]{0,120}(?:timeout|timed out|deadline|permitted|denied)|proxyconnect|proxy authentication required|\b407\b|cannot assign requested address/,
  },
  {
    cause: 'registry_unavailable',
    words:
      /\b5\d\d (?:internal|bad gateway|service|gateway|server|origin|web server|unknown)|(?:status|code|http|error)(?: code)?:? (?:<url> ?)?(?:50[0234]|52\d|530)\b|<url>:? (?:50[0234]|52\d|530)\b|registryunavailable|registry is unavailable|service unavailable|(?<!resource )temporarily unavailable|bad gateway|gateway time-?out|internal server error|no healthy upstream|upstream connect error/,
  },
  {
    cause: 'pull_timeout',
    words:
      /deadline ?exceeded|handshake timeout|client\.timeout|timeout exceeded|requests? cancell?ed|context cancell?ed|cancel pulling image|no progress|\beof\b|connection reset|forcibly closed|broken pipe|i\/o timeout|timed? ?out\b|stream error|goaway|connection (?:was )?lost|closed network connection|server closed|connection broken|code = (?:4|canceled|deadlineexceeded) /,
  },
  // Harbor refuses with 401 and says why.
  { cause: 'image_not_found', words: /\bproject \S+ not found/ },
  {
    cause: 'registry_auth',
    ambiguous: true,
    confidence: 'likely',
    words:
      /(?:does not|may not) exist or may|or it may not exist|insufficient_scope|access to the (?:requested )?resource is (?:denied|not authorized)|unauthorized to access repository|denied: denied|\b403\b|forbidden|(?:^|: )denied$/,
  },
  {
    cause: 'registry_auth',
    words:
      /\b40[12]\b|unauthorized|unauthenticated|authentication (?:is )?required|payment required|not authori[sz]ed|no basic auth|insufficient_scope|(?:failed|unable) to (?:fetch|retrieve|get) .{0,20}token|failed to authorize|supported auth scheme|did not include a token|bearer (?:token|auth)|missing username or secret|get(?:ting)? (?:credentials|username and password)|authorization failed|authorization token|invalid (?:username|token|credential)|incorrect username|(?<!permission )\bdenied\b|denied: permission|permission denied (?:for|on) |docker login|access token|has been disabled|not logged in/,
  },
  // The node's copy: its store has lost a part of it.
  { cause: 'image_corrupt', confidence: 'likely', words: /locating item named|layer not known|parent snapshot|failed to stat parent|image ref of snapshot/ },
  {
    cause: 'image_not_found',
    words:
      /\b(?:404|410)\b|not ?found|(?:manifest|name|blob|tag)[ _]?unknown|not known to (?:the )?registry|no such (?:image|manifest|repository|tag)|does not exist|unknown (?:manifest|blob|tag)|was deleted or has expired/,
  },
  // A page of HTML where JSON belongs: something in front of the registry answers in its place.
  { cause: 'registry_unavailable', confidence: 'likely', words: /invalid character '<'/ },
  // The file system of the node refuses, whatever the layer holds.
  {
    cause: 'other',
    words:
      /(?:extract|register) layer.{0,600}(?:operation not (?:supported|permitted)|read-only file system|input\/output error|failed to mount|no such device)/,
  },
  // What the runtime could not store or unpack, without a word about the content being wrong.
  { cause: 'image_corrupt', confidence: 'guess', words: /failed to (?:extract|register) layer|failed to unpack image/ },
];

/** Reads an error text. `image` is the reference as the pod spec has it; its parts must not be taken for words of the error. */
export const classifyPullError = rememberTexts(readPullError);

/**
 * What a registry answers about credentials. Beside a 5xx, as the kubelet joins what several credentials gave (`[a, b]`) and as some
 * registries wrap it, it tells that the registry is there and does not take them.
 */
const CREDENTIALS: Family = {
  cause: 'registry_auth',
  confidence: 'likely',
  words: /\b40[13]\b|unauthorized|authentication (?:is )?required|(?:bad|invalid|incorrect|wrong) (?:user ?name|password|credential|token)|insufficient_scope/,
};

function readPullError(message: string, image: string): PullVerdict {
  const text = withoutNames(message, image);
  const first = FAMILIES.find(({ words }) => words.test(text));
  const family = first?.cause === 'registry_unavailable' && CREDENTIALS.words.test(text) ? CREDENTIALS : first;
  const cause = family?.cause ?? 'other';
  return {
    cause,
    detail: family?.detail ?? '',
    confidence: family?.confidence ?? (cause === 'other' ? 'guess' : 'certain'),
    transient: TRANSIENT.has(cause),
    ambiguous: family?.ambiguous ?? false,
  };
}

/** True of texts that say only that the kubelet backs off or failed, as ImagePullBackOff up to 1.31 does. */
export function namesNoCause(message: string): boolean {
  const text = message.trim();
  return text === '' || /^(?:error: )?(?:errimagepull|imagepullbackoff)$/i.test(text) || /^back-off pulling image "[^"]*"$/i.test(text);
}

/** Lower case, without the references, URLs and digests in it, and without what CRI-O reports of mirrors tried before. */
function withoutNames(message: string, image: string): string {
  let text = message.replace(/\s+/g, ' ').trim().toLowerCase();
  text = text.replace(/\(mirrors also failed: \[.*?\]\)/g, '').replace(/https?:\/\/[^\s"]+/g, '<url>');
  for (const pattern of namePatterns(text, image.toLowerCase())) text = text.replace(pattern, '$1<image>');
  return text.replace(/sha\d+:[0-9a-f]{6,}/g, '<digest>').replace(/\[(?:manifests|blobs) [^\]]*\]/g, '');
}

/** Patterns of the references in the text, longest first, so that no part of one is left standing. $1 is what stands before. */
function namePatterns(text: string, image: string): readonly RegExp[] {
  const quoted = [...text.matchAll(/(?:image|reference|ref|repository|artifact) \\?"([^"\s]{3,}?)\\?"/g)].map((match) => match[1] ?? '');
  const names = new Set<string>();
  for (const name of [image, ...quoted]) {
    const path = name.replace(/@.*$/, '');
    const repository = path.replace(/:[^/:]*$/, '');
    const local = repository.replace(/^[^/]*[.:][^/]*\//, '');
    for (const part of [name, path, repository, local, local.replace(/^library\//, ''), path.slice(repository.length)]) if (part.length > 2) names.add(part);
  }
  const longestFirst = [...names].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  return longestFirst.map((name) => {
    const escaped = name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    // A one-word name such as "registry" is also a word of errors: only where a name stands.
    if (/^\w[\w.-]*$/.test(name)) return new RegExp(`((?:for|image|repository|manifest|in|/|")\\s?)${escaped}(?![\\w-])`, 'g');
    return new RegExp(`(^|[^\\w.-]${name.startsWith(':') ? '|\\w|>' : ''})${escaped}(?![\\w-])`, 'g');
  });
}
