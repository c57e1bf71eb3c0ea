/**
 * The redactor: takes credentials out of free text, command lines and option maps before anything leaves a cluster (design D6).
 * It replaces values only, never the words around them, because rules match on those. Every pattern is anchored so that no text
 * is scanned twice: time is linear in the text.
 */

/** What stands in place of a credential. Redacting twice changes nothing. */
export const REDACTED = '<redacted>';

interface Rule {
  /** Every text that the rule may change holds one of these, in any case: lower-case ASCII, at least three characters. */
  readonly hints: readonly string[];
  readonly apply: (text: string) => string;
}

function rule(hints: readonly string[], pattern: RegExp, replace: (...groups: string[]) => string): Rule {
  return { hints, apply: (text) => text.replace(pattern, replace) };
}

/** Every name that isSecretName takes holds one of these. */
const NAME_HINTS = ['pass', 'pwd', 'secret', 'token', 'key', 'cred', 'auth', 'jwt', 'sig', '_pat'];

/** Not in the middle of a word: each word is tried once. */
const WORD_START = '(?<![A-Za-z0-9_.-])';

const RULES: readonly Rule[] = [
  // PEM, to its END or the end of the text: it always matches, so nothing is scanned twice.
  rule(
    ['-----begin'],
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    () => REDACTED,
  ),
  // JSON Web Tokens: `eyJ` is `{"` in base64url.
  rule(['eyj'], new RegExp(String.raw`${WORD_START}eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)*`, 'g'), () => REDACTED),
  // scheme://user:password@host, but not an image digest behind a scheme (docker-pullable://name@sha256:…).
  rule(['://'], /:\/\/[^\s/?#"'<>]+@(?!sha\d+:)/g, () => `://${REDACTED}@`),
  // Tokens with a prefix of their own: AWS, GitHub, GitLab, Slack, Google, Stripe, OpenAI, npm, Vault, Docker Hub. Names of
  // Kubernetes objects are lower-case and hold no underscore, so a match without both is a name.
  rule(
    [
      'akia',
      'asia',
      'ghp_',
      'gho_',
      'ghu_',
      'ghs_',
      'ghr_',
      'github_pat_',
      'glpat-',
      'xox',
      'aiza',
      'sk_',
      'sk-',
      'rk_',
      'rk-',
      'npm_',
      'hvs.',
      'hvb.',
      'dckr_',
    ],
    new RegExp(
      String.raw`${WORD_START}(?:A[KS]IA[A-Z0-9]{16}|(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AIza|[sr]k[-_]|npm_|hv[sb]\.|dckr_pat_)[\w-]{16,})(?![\w-])`,
      'g',
    ),
    (match) => (/[A-Z_]/.test(match) ? REDACTED : match),
  ),
  rule(
    ['authorization'],
    new RegExp(
      String.raw`${WORD_START}(authorization["']?[ \t]{0,3}[:=][ \t]{0,3}["']?(?:Bearer|Basic|Token|Digest|Negotiate|ApiKey)[ \t]{1,3})([^\s"'<]+)`,
      'gi',
    ),
    (_match, header) => `${header}${REDACTED}`,
  ),
  // Bearer …, Basic …; in prose and in challenges the scheme is followed by a plain word.
  rule(['bearer', 'basic'], new RegExp(String.raw`${WORD_START}((?:Bearer|Basic)\s{1,3})([\w+/.~=-]{6,})`, 'gi'), (match, scheme, value) =>
    looksRandom(value) ? `${scheme}${REDACTED}` : match,
  ),
  rule(['cookie'], new RegExp(String.raw`${WORD_START}((?:set-)?cookie:[ \t]*)[^\s"'<][^\r\n"'<]*`, 'gi'), (_match, header) => `${header}${REDACTED}`),
  // ${PASSWORD:-default} of a shell.
  rule(NAME_HINTS, /(\$\{([A-Za-z_]\w*):?[-=])([^}$\n<]+)/g, (match, head, name) => (isSecretName(name) ? `${head}${REDACTED}` : match)),
  // name=value, name: value, "name":"value".
  { hints: NAME_HINTS, apply: (text) => redactValues(text, ASSIGNMENT, isAssigned) },
  // --token x, --password "x y".
  { hints: NAME_HINTS, apply: (text) => redactValues(text, FLAG, ({ value }) => !value.startsWith('-')) },
  // The word and the credential side by side: only what no name of Kubernetes can be, mixed case and digits.
  rule(
    NAME_HINTS,
    new RegExp(String.raw`${WORD_START}((?:password|passphrase|secret|token|key|credentials?)(?: is)?\s{1,3}["']?)([\w+/=-]{20,})`, 'gi'),
    (match, word, value) => (/[a-z]/.test(value) && /[A-Z]/.test(value) && /\d/.test(value) ? `${word}${REDACTED}` : match),
  ),
  // curl -u user:password; not docker's -u uid:gid.
  rule([' -u', '-u ', '--user'], /(?<![\w-])((?:-u|--user)[ =]{0,3}["']?[^\s:"'<]{1,100}:)([^\s"'<]+)/g, (match, user, password) =>
    /^\d+$/.test(password) || isReference(password) ? match : `${user}${REDACTED}`,
  ),
  { hints: ['mysql', 'mariadb'], apply: (text) => (/mysql|mariadb/i.test(text) ? text.replace(/(?<!\S)-p[^\s<]+/g, `-p${REDACTED}`) : text) },
  { hints: ['redis-cli'], apply: (text) => (/redis-cli/i.test(text) ? text.replace(/(?<!\S)-a\s{1,3}[^\s<]+/g, `-a ${REDACTED}`) : text) },
  rule(['sshpass'], /(?<!\S)(sshpass\s{1,3}-p\s{0,3})[^\s<]+/g, (_match, command) => `${command}${REDACTED}`),
];

/**
 * Hints by their first three characters, five bits each, which folds case. Nearly every text is let through by one scan of the
 * marks, at a third of the cost of one pattern.
 */
const HINTS = new Map<number, { readonly text: string; readonly standsAlone: boolean }[]>();
const MARKS = new Uint8Array(1 << 15);
for (const { hints } of RULES) {
  for (const text of hints) {
    const trigram = ((text.charCodeAt(0) & 31) << 10) | ((text.charCodeAt(1) & 31) << 5) | (text.charCodeAt(2) & 31);
    HINTS.set(trigram, [...(HINTS.get(trigram) ?? []), { text, standsAlone: hints !== NAME_HINTS }]);
    MARKS[trigram] = 1;
  }
}

/** Does the text hold a hint; with `alone`, one of a credential that needs no name and separator? */
function holdsHint(text: string, alone: boolean): boolean {
  let trigram = 0;
  for (let index = 0; index < text.length; index += 1) {
    trigram = ((trigram << 5) | (text.charCodeAt(index) & 31)) & 0x7fff;
    if (MARKS[trigram] === 1 && continuesHint(text, index - 2, trigram, alone)) return true;
  }
  return false;
}

function continuesHint(text: string, start: number, trigram: number, alone: boolean): boolean {
  for (const hint of HINTS.get(trigram) ?? []) {
    if (alone && !hint.standsAlone) continue;
    if (text.slice(start, start + hint.text.length).toLowerCase() === hint.text) return true;
  }
  return false;
}

/** Replaces the credentials in a text. */
export function redactText(text: string): string {
  if (!holdsHint(text, false) || (!SEPARATOR.test(text) && !holdsHint(text, true))) return text;
  return RULES.reduce((redacted, { apply }) => apply(redacted), text);
}

/** Between a name and its value; paths and names have none. */
const SEPARATOR = /[=:\s]/;

/** Replaces the credentials in a command line; a value may be an argument of its own behind its flag. */
export function redactArgv(argv: readonly string[]): string[] {
  const tool = TOOLS.find(({ name }) => argv.some((argument) => argument.includes(name)));
  return argv.map((argument, index) => {
    const flag = argv[index - 1] ?? '';
    const name = /^--?([A-Za-z][\w.-]*)$/.exec(flag)?.[1];
    if (name !== undefined && !argument.startsWith('-') && !isReference(argument) && argument !== '') {
      if (isSecretName(name) || (tool?.detached && flag === tool.flag)) return REDACTED;
      if (flag === '-u' || flag === '--user') return redactText(`-u ${argument}`).slice('-u '.length);
    }
    if (tool?.attached && argument.startsWith(tool.flag) && argument.length > tool.flag.length) return `${tool.flag}${REDACTED}`;
    return redactText(argument);
  });
}

/** Tools that take a password behind a flag that does not say so. */
const TOOLS = [
  { name: 'mysql', flag: '-p', attached: true, detached: false },
  { name: 'mariadb', flag: '-p', attached: true, detached: false },
  { name: 'sshpass', flag: '-p', attached: true, detached: true },
  { name: 'redis-cli', flag: '-a', attached: false, detached: true },
] as const;

interface Candidate {
  readonly name: string;
  /** What stands between the name and the value. */
  readonly separator: string;
  readonly value: string;
  readonly text: string;
  /** Offset of the name. */
  readonly start: number;
}

/** `head` ends where the value begins, so that a value which is none is searched in its turn: `args: --password=x`. */
const ASSIGNMENT = new RegExp(String.raw`${WORD_START}([A-Za-z0-9_.-]+)(\\?["']?[ \t]{0,3}[=:][ \t]{0,3})`, 'g');
const FLAG = /(?<![\w.-])--?([A-Za-z][\w.-]*)(\s{1,3})/g;
/**
 * Quoted, a reference, or up to a space or a delimiter: so much of it as decides. Never empty, never `<redacted>`. REST is what
 * follows of an unquoted one.
 */
const VALUE = /"(?:[^"\\]|\\.)*"|'[^']*'|\\"[^"\\]*\\"|\$\([^)\s]{1,100}\)|\$\{[^}\s]{1,100}\}|[^\s,;&"'<>|(){}[\]\\]{1,200}/y;
const REST = /[^\s,;&"'<>|(){}[\]\\]*/y;

function redactValues(text: string, head: RegExp, accept: (candidate: Candidate) => boolean): string {
  let redacted = '';
  let done = 0;
  for (const match of text.matchAll(head)) {
    const [whole, name = '', separator = ''] = match;
    const valueStart = match.index + whole.length;
    if (match.index < done || !isSecretName(name)) continue;
    VALUE.lastIndex = valueStart;
    const value = VALUE.exec(text)?.[0];
    if (value === undefined || isReference(value)) continue;
    const end = valueStart + value.length;
    if (!accept({ name, separator, value, text, start: match.index })) continue;
    const quote = quoteOf(value);
    redacted += `${text.slice(done, valueStart)}${quote}${REDACTED}${quote}`;
    REST.lastIndex = end;
    done = quote === '' ? end + (REST.exec(text)?.[0].length ?? 0) : end;
  }
  return redacted + text.slice(done);
}

function quoteOf(value: string): string {
  return /^(?:\\?"|')/.exec(value)?.[0] ?? '';
}

/**
 * After `=` any value goes. After a colon prose may follow (`failed to fetch anonymous token: unexpected status`), so the value
 * must be quoted like JSON, stand behind a password at the start of a line like YAML, or look like a credential.
 */
function isAssigned({ name, separator, value, text, start }: Candidate): boolean {
  if (separator.includes('=')) return true;
  if (text[start - 1] === '/') return false; // an image and its tag
  const quoted = quoteOf(value) !== '';
  if (/^\\?["']/.test(separator)) return quoted && !/^\\?["']\s/.test(separator);
  if (quoted && separator.startsWith(':')) return true;
  if (isPasswordName(name) && isLineStart(text, start)) return true;
  return looksRandom(value) && !value.endsWith(':'); // a chain of errors: `token: http2: …`
}

function isLineStart(text: string, offset: number): boolean {
  let index = offset - 1;
  while (index >= 0 && offset - index < 40 && (text[index] === ' ' || text[index] === '-')) index -= 1;
  return index < 0 || text[index] === '\n';
}

/** A variable of a shell or of Kubernetes ($X, ${X}, $(X)) or a template: names a credential, holds none. */
function isReference(value: string): boolean {
  return /^["']?(?:\$[\w({]|%[A-Za-z]|\{\{)/.test(value);
}

/** Letters and digits together, or the mixed case of base64: no word of a message. */
function looksRandom(value: string): boolean {
  if (value.length < 6 || /^\w+:\/\//.test(value)) return false;
  if (/\d/.test(value) && /[A-Za-z]/.test(value)) return true;
  return value.length >= 12 && /[a-z][A-Z]/.test(value);
}

/**
 * Does a variable, option or map key of this name hold a credential? Decided by its last word: `DB_PASSWORD`, `apiKey`,
 * `PGPASSWORD` and `token_2` do; `secretName`, `token-ttl`, `password_file`, `secrets` do not.
 */
export function isSecretName(name: string): boolean {
  if (name === 'key' || name.length > LONGEST_NAME || !holdsHint(name, false)) return false;
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  if (SECRET_WORDS.has(last) || SECRET_ENDINGS.test(last)) return true;
  return last === 'key' && SECRET_KEYS.has(words.at(-2) ?? '');
}

function isPasswordName(name: string): boolean {
  return /^(?:.*pass(?:word|wd|phrase)?|pwd)$/.test(wordsOf(name).at(-1) ?? '');
}

/** Longer words in front of a `=` are base64 with its padding. */
const LONGEST_NAME = 80;
const SECRET_WORDS: ReadonlySet<string> = new Set(['pass', 'pwd', 'creds', 'auth', 'authorization', 'jwt', 'sig', 'signature', 'pat']);
const SECRET_ENDINGS = /(?:password|passwords|passwd|passphrase|secret|token|apikey|accesskey|secretkey|privatekey|accountkey|credential|credentials)$/;
/** What makes a key a credential: an API key is one, a topology key is not. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'api',
  'access',
  'secret',
  'private',
  'account',
  'shared',
  'master',
  'encryption',
  'signing',
  'client',
  'auth',
  'storage',
]);
/** Words that say how a credential is written, not that it is something else. */
const SUFFIXES = /^(?:\d+|v\d+|value|data|string|plain|text|base64|b64)$/;

function wordsOf(name: string): string[] {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  while (words.length > 1 && SUFFIXES.test(words.at(-1) ?? '')) words.pop();
  return words;
}
