import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isSecretName, REDACTED, redactArgv, redactText } from '../../collector/redact.ts';
import { recordedObjects, recordingPaths } from '../helpers/recorded.ts';

/** A credential no rule knows by its looks, so that only its context can give it away. */
const PLAIN = 'letmein';
const TOKEN = 'Zx81kQpLm3';
const JWT = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwb2R0cmFpbCJ9.dGhpcy1pcy1hLXNpZ25hdHVyZQ';

/** [text, what must be gone, what must still be there] */
const SECRETS: readonly [string, string, string][] = [
  [`--password=${PLAIN} --verbose`, PLAIN, '--verbose'],
  [`server --db-password ${PLAIN} --port 80`, PLAIN, '--port 80'],
  [`--opts "--token ${PLAIN}"`, PLAIN, '--opts'],
  [`--token="two words ${PLAIN}" next`, PLAIN, 'next'],
  [`PASSWORD=${PLAIN} ./run`, PLAIN, './run'],
  [`export PGPASSWORD='${PLAIN} x'; psql`, PLAIN, '; psql'],
  [`PASSWORD=\${PASSWORD:-${PLAIN}}`, PLAIN, 'PASSWORD'],
  [`AWS_SECRET_ACCESS_KEY=${PLAIN}`, PLAIN, 'AWS_SECRET_ACCESS_KEY'],
  [`args: --apiKey=${PLAIN}`, PLAIN, 'args: --apiKey'],
  [`GET https://example.com/v1?x=1&access_token=${PLAIN}&y=2 failed`, PLAIN, '&y=2 failed'],
  [`https://b.blob.example/c?sv=2024&sig=${PLAIN}%3D`, PLAIN, 'sv=2024'],
  [`Get "https://s3.example/o?X-Amz-Signature=${PLAIN}&X-Amz-Expires=9"`, PLAIN, 'X-Amz-Expires=9'],
  [`dial postgres://app:${PLAIN}@db:5432/x: refused`, PLAIN, 'db:5432/x: refused'],
  [`dial redis://:p@${PLAIN}@db:6379`, PLAIN, 'db:6379'],
  [`git clone https://${TOKEN}@github.com/o/r`, TOKEN, 'github.com/o/r'],
  [`Server=db;Password=${PLAIN};Encrypt=true`, PLAIN, 'Encrypt=true'],
  [`DefaultEndpointsProtocol=https;AccountKey=${TOKEN}==;EndpointSuffix=x`, TOKEN, 'EndpointSuffix=x'],
  [`Authorization: Bearer ${PLAIN}`, PLAIN, 'Authorization: Bearer'],
  [`curl -H "Authorization: Basic ${PLAIN}" http://x`, PLAIN, 'http://x'],
  [`"authorization":"token ${PLAIN}"`, PLAIN, 'authorization'],
  [`sent bearer ${TOKEN} to x`, TOKEN, 'to x'],
  [`X-Api-Key: ${TOKEN}`, TOKEN, 'X-Api-Key'],
  [`Cookie: session=${PLAIN}; a=b\nnext`, PLAIN, '\nnext'],
  [`token ${JWT} is expired`, JWT, 'is expired'],
  [JWT, JWT, ''],
  ['key AKIAIOSFODNN7EXAMPLE of AWS', 'AKIAIOSFODNN7EXAMPLE', 'of AWS'],
  [`use ghp_${'aB3'.repeat(12)} here`, 'aB3aB3', 'here'],
  [`use glpat-${'aB3'.repeat(7)} here`, 'aB3aB3', 'here'],
  [`xoxb-123456789012-${'aB3'.repeat(7)}`, 'aB3aB3', ''],
  [`sk-proj-${'aB3'.repeat(9)}`, 'aB3aB3', ''],
  [`hvs.${'aB3'.repeat(9)}`, 'aB3aB3', ''],
  [`secret is ${'aB3d'.repeat(8)}`, 'aB3daB3d', 'secret is'],
  [`{"user":"x","password":"${PLAIN}","port":1}`, PLAIN, '"port":1'],
  [`{"password": "${PLAIN}"}`, PLAIN, 'password'],
  [`{\\"password\\":\\"${PLAIN}\\",\\"port\\":1}`, PLAIN, 'port'],
  [`db:\n  password: ${PLAIN}\n  port: 1`, PLAIN, 'port: 1'],
  [`- name: x\n- passphrase: ${PLAIN}`, PLAIN, 'name: x'],
  [`users:\n- user:\n    token: ${TOKEN}`, TOKEN, 'users'],
  [`    client-key-data: LS0tLS1${TOKEN}`, TOKEN, 'client-key-data'],
  [`-----BEGIN RSA PRIVATE KEY-----\n${PLAIN}\n-----END RSA PRIVATE KEY-----\nafter`, PLAIN, '\nafter'],
  [`key: -----BEGIN PRIVATE KEY-----\\n${PLAIN}`, PLAIN, 'key'],
  [`curl -u joe:${PLAIN} http://x`, PLAIN, 'http://x'],
  [`curl --user "joe:${PLAIN}" http://x`, PLAIN, 'http://x'],
  [`mysqladmin ping -uroot -p${PLAIN} -h x`, PLAIN, '-h x'],
  [`redis-cli -h x -a ${PLAIN} ping`, PLAIN, 'ping'],
  [`sshpass -p ${PLAIN} ssh host`, PLAIN, 'ssh host'],
];

describe('takes out', () => {
  for (const [text, gone, left] of SECRETS) {
    test(JSON.stringify(text).slice(0, 90), () => {
      const redacted = redactText(text);
      assert.ok(!redacted.includes(gone), redacted);
      assert.ok(redacted.includes(left), redacted);
      assert.ok(redacted.includes(REDACTED), redacted);
      assert.equal(redactText(redacted), redacted);
    });
  }
});

/** Texts of kubelets, schedulers, controllers and runtimes that rules read: not one character may change. */
const ORDINARY = [
  'Back-off pulling image "registry.example:5000/team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
  'docker-pullable://nginx@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.docker.io/token?scope=repository%3Alibrary%2Fx%3Apull&service=registry.docker.io: 401 Unauthorized',
  'failed to fetch oauth token: Post "https://auth.example/token": http2: server sent GOAWAY',
  'failed to fetch oauth token: http2: server sent GOAWAY',
  'failed to fetch oauth token: x509: certificate signed by unknown authority',
  'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
  'WWW-Authenticate: Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
  'Unable to retrieve some image pull secrets (regcred, other-secret); attempting to pull the image may not succeed.',
  'Failed to pull image "foo/token:v1.2.3": not found',
  'MountVolume.SetUp failed for volume "my-secret" : secret "my-secret" not found',
  'MountVolume.SetUp failed for volume "token" : references non-existent secret key: password',
  "couldn't find key password in Secret shop/db-credentials",
  'Error: secret "db-password" not found',
  'configmap references non-existent config key: api-key',
  "Error: couldn't find key auth-token in ConfigMap default/settings",
  'exceeded quota: q, requested: secrets=1,pods=1, used: secrets=10,pods=4, limited: secrets=10,pods=4',
  "0/18 nodes are available: 1 Insufficient cpu, 12 node(s) didn't match Pod's node affinity/selector, 3 node(s) had untolerated taint {key: value}.",
  'pods "web-6d4b75cb6d-hx7kp" is forbidden: User "system:serviceaccount:a:b" cannot get resource "secrets" in API group ""',
  'error looking up service account shop/token-reader: serviceaccount "token-reader" not found',
  'Liveness probe failed: Get "http://10.1.2.3:8080/auth/token": dial tcp 10.1.2.3:8080: connect: connection refused',
  'Created pod: token-refresher-7d9f8b6c5d-x2x4z',
  'sk-api-server-7d9f8b6c5d-x2x4z-aaaaaaaaaaaa started',
  'uid 975cee8f-f621-424f-a690-cd695e124af9, key 18ead0f9acf27015',
  'kill: SIGTERM, exit code 143, memory 128Mi, cpu 250m',
  'docker run -u 1000:1000 app',
  'the token --token-ttl=24h --password-file=/run/pw --secret-name db --tls-private-key-file=/k',
  `--password=$(DB_PASSWORD) --token \${TOKEN} --secret={{ .Values.secret }}`,
  'echo $PASSWORD; test -n "$TOKEN"',
  'max_tokens=4096 tokens: 12',
  'ping the cookie jar: basic auth required, key pressed',
  '/var/run/secrets/kubernetes.io/serviceaccount/token',
  '',
];

describe('leaves alone', () => {
  for (const text of ORDINARY) test(JSON.stringify(text).slice(0, 90), () => assert.equal(redactText(text), text));

  test('every Event and status message of the recordings', () => {
    const changed = new Set<string>();
    const walk = (value: unknown, key: string): void => {
      if (typeof value === 'string') {
        if ((key === 'message' || key === 'reason') && redactText(value) !== value) changed.add(value);
      } else if (typeof value === 'object' && value !== null) for (const [name, item] of Object.entries(value)) walk(item, name);
    };
    for (const path of recordingPaths('cases')) for (const { object } of recordedObjects(path)) walk(object, '');
    assert.deepEqual([...changed], []);
  });
});

describe('a command line', () => {
  const cases: [string, string[], string[]][] = [
    ['a value behind its flag', ['app', '--token', PLAIN, '-v'], ['app', '--token', REDACTED, '-v']],
    ['a single dash', ['app', '-password', PLAIN], ['app', '-password', REDACTED]],
    ['a flag without a value', ['app', '--token', '--verbose'], ['app', '--token', '--verbose']],
    ['a reference', ['app', '--token', '$(TOKEN)'], ['app', '--token', '$(TOKEN)']],
    ['an assignment', ['env', `API_KEY=${PLAIN}`, 'app'], ['env', `API_KEY=${REDACTED}`, 'app']],
    ['a script', ['sh', '-c', `login --password ${PLAIN} && run`], ['sh', '-c', `login --password ${REDACTED} && run`]],
    ['curl -u', ['curl', '-u', `joe:${PLAIN}`, 'http://x'], ['curl', '-u', `joe:${REDACTED}`, 'http://x']],
    ['a header', ['curl', '-H', `Authorization: Bearer ${PLAIN}`], ['curl', '-H', `Authorization: Bearer ${REDACTED}`]],
    ['mysql -p', ['mysqladmin', '-uroot', `-p${PLAIN}`, 'ping'], ['mysqladmin', '-uroot', `-p${REDACTED}`, 'ping']],
    ['redis-cli -a', ['redis-cli', '-a', PLAIN, 'ping'], ['redis-cli', '-a', REDACTED, 'ping']],
    ['sshpass -p', ['sshpass', '-p', PLAIN, 'ssh'], ['sshpass', '-p', REDACTED, 'ssh']],
    ['nothing', ['sleep', '-p', '3600'], ['sleep', '-p', '3600']],
  ];
  for (const [name, argv, redacted] of cases) test(name, () => assert.deepEqual(redactArgv(argv), redacted));
});

describe('the name of a credential', () => {
  const names = [
    'password',
    'DB_PASSWORD',
    'PGPASSWORD',
    'mysql-pwd',
    'apiKey',
    'API_KEY',
    'x-api-key',
    'accessToken',
    'TOKEN_2',
    'client-key-data',
    'aws_secret_access_key',
  ];
  const others = [
    'key',
    'topologyKey',
    'secretName',
    'token-ttl',
    'password_file',
    'secrets',
    'max_tokens',
    'author',
    'monkey',
    'AWS_ACCESS_KEY_ID',
    'path',
    'compass',
    '',
  ];
  for (const name of names) test(`is ${name}`, () => assert.equal(isSecretName(name), true));
  for (const name of others) test(`is not ${name || 'empty'}`, () => assert.equal(isSecretName(name), false));
});

const credential = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-.+/~'), minLength: 6, maxLength: 60 }).filter((text) => !text.startsWith('-'));
const words = fc.lorem({ maxCount: 12 });
const secretName = fc.constantFrom('password', 'API_TOKEN', 'client-secret', 'dbPassword', 'SECRET_KEY');

test('takes out any value behind a name and a sign of equality, in any text', () => {
  fc.assert(
    fc.property(words, secretName, credential, words, (before, name, value, after) => {
      assert.equal(redactText(`${before} ${name}=${value} ${after}`), `${before} ${name}=${REDACTED} ${after}`);
      assert.equal(redactText(`${before} --${name} ${value} ${after}`), `${before} --${name} ${REDACTED} ${after}`);
    }),
  );
});

test('redacting twice changes nothing, whatever the text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'token',
      'password',
      '=',
      ':',
      ': ',
      ' ',
      '"',
      "'",
      '\\"',
      '--',
      '-u ',
      '://',
      '@',
      'Bearer ',
      'eyJ',
      '.',
      '${',
      '}',
      '-----BEGIN PRIVATE KEY-----',
      REDACTED,
      '\n',
      'mysql',
      ' -p',
    ),
    fc.string({ maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const once = redactText(pieces.join(''));
      assert.equal(redactText(once), once);
    }),
    { numRuns: 3_000 },
  );
});

/** Repetitions that make careless patterns scan the rest of the text from every place. */
const BOMBS = [
  'token=',
  'token:',
  'token: ',
  '-u',
  '-u.',
  '-u a',
  'eyJ',
  'eyJa.',
  '://',
  '://a',
  'a@',
  'cookie:',
  '-----BEGIN PRIVATE KEY-----',
  '--token ',
  '"token":',
  '${A-',
  '${TOKEN-',
  'token="',
];
BOMBS.push(
  'token=\\"',
  "token='",
  'token=$(',
  'token=${',
  'Bearer ',
  'Authorization: Bearer ',
  'sk-',
  'mysql -p',
  'redis-cli -a ',
  '- ',
  ' ',
  '\n',
  '=',
  'a',
  '"\\',
  'key ',
  'password is ',
);

describe('takes time in proportion to the text', () => {
  const timeMs = (text: string): number => {
    const start = process.cpuUsage();
    redactText(`${text} token=x`);
    return (process.cpuUsage(start).user + 1) / 1_000;
  };
  for (const bomb of BOMBS) {
    test(JSON.stringify(bomb), () => {
      const times = [1, 2, 3].map(() => timeMs(bomb.repeat(200_000 / bomb.length)));
      // Quadratic, 200 000 characters take minutes; linear, milliseconds.
      assert.ok(Math.min(...times) < 1_000, `${times} ms`);
    });
  }
});
