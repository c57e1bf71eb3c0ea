import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, Pod } from '../../../collector/objects.ts';
import { imagePullFailure } from '../../../processor/scenarios/image-pull-failure.ts';
import type { ContainerHistory, SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, node, object, pod, podView, seenEvent, webDeployment } from '../../helpers/view.ts';

const IMAGE = 'reg.example.com/shop/web:9';
const NOT_FOUND = `rpc error: code = NotFound desc = failed to pull and unpack image "${IMAGE}": failed to resolve reference "${IMAGE}": ${IMAGE}: not found`;
const DENIED = `failed to pull and unpack image "${IMAGE}": failed to resolve reference "${IMAGE}": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`;
const UNAUTHORIZED = `failed to pull and unpack image "${IMAGE}": failed to resolve reference "${IMAGE}": pulling from host reg.example.com failed with status code [manifests 9]: 401 Unauthorized`;
const unreachable = (address: string): string => `failed to do request: Head "https://reg.example.com/v2/": dial tcp ${address}:443: i/o timeout`;

interface Given {
  readonly reason?: string;
  readonly message?: string;
  readonly image?: string;
  readonly secrets?: readonly string[];
  readonly app?: Partial<ContainerStatus>;
  readonly metadata?: Partial<Pod['metadata']>;
  readonly past?: Partial<ContainerHistory>;
  readonly events?: readonly SeenEvent[];
  readonly options?: Parameters<typeof podView>[1];
}
function judge({
  reason = 'ImagePullBackOff',
  message = '',
  image = IMAGE,
  secrets = [],
  app = {},
  metadata = {},
  past = {},
  events = [],
  options = {},
}: Given): readonly Signal[] {
  const waiting = { reason, ...(message !== '' && { message }) };
  const subject = pod({
    metadata,
    spec: { containers: [{ name: 'app', image }], imagePullSecrets: secrets.map((name) => ({ name })) },
    status: { phase: 'Pending', startTime: at(-60), containerStatuses: [containerStatus({ ready: false, started: false, state: { waiting }, ...app })] },
  });
  return imagePullFailure.pod?.(podView(subject, { objects: webDeployment(), history: { app: past }, events, ...options })) ?? [];
}
const failed = (note: string, count = 1, last = -20): SeenEvent =>
  seenEvent({ reason: 'Failed', note: `Failed to pull image "${IMAGE}": ${note}`, count, last, first: last - 30 });
const backOff: SeenEvent = seenEvent({ reason: 'BackOff', type: 'Normal', note: `Back-off pulling image "${IMAGE}"`, last: -10 });

test('says which image of which container cannot be pulled, and why', () => {
  const [signal, ...others] = judge({ message: `Back-off pulling image "${IMAGE}": ErrImagePull: ${NOT_FOUND}` });
  assert.equal(others.length, 0);
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' });
  assert.deepEqual([signal?.cause, signal?.confidence, signal?.track, signal?.recoverAfterMs], ['image_not_found', 'certain', 'pull', 60_000]);
  assert.deepEqual(signal?.fact, { value: `image=${IMAGE}`, timeMs: atMs(-60), says: `container app cannot get image ${IMAGE}` });
  assert.deepEqual(signal?.shared, { image: IMAGE });
  assert.equal(signal?.summary, `image ${IMAGE} of container app of Deployment shop/web cannot be pulled: ${IMAGE}: not found`);
});

const dues: readonly (readonly [name: string, due: boolean, given: Given])[] = [
  ['a definite error at the first failure', false, { reason: 'ErrImagePull', message: NOT_FOUND }],
  ['a definite error at the first back-off', true, { reason: 'ImagePullBackOff', message: `Back-off pulling image "${IMAGE}": ErrImagePull: ${NOT_FOUND}` }],
  ['a definite error after a back-off that only the Event shows', true, { reason: 'ErrImagePull', message: NOT_FOUND, events: [backOff] }],
  [
    'a definite error at the second failure',
    true,
    { reason: 'ErrImagePull', message: NOT_FOUND, past: { lastError: { reason: 'ErrImagePull', message: NOT_FOUND, timeMs: atMs(-5), count: 2 } } },
  ],
  ['an invalid name at once', true, { reason: 'InvalidImageName', message: 'invalid reference format' }],
  ['pull policy Never at once', true, { reason: 'ErrImageNeverPull', message: `Container image "${IMAGE}" is not present with pull policy of Never` }],
  ['a transient error at the first failure', false, { reason: 'ErrImagePull', message: unreachable('10.1.1.1') }],
  [
    'a transient error at the back-off after the first failure',
    false,
    { reason: 'ImagePullBackOff', message: unreachable('10.1.1.1'), events: [failed(unreachable('10.1.1.1')), backOff] },
  ],
  [
    'a transient error at the second failure, by the status',
    true,
    { message: unreachable('10.1.1.1'), past: { lastError: { reason: 'ErrImagePull', message: 'x', timeMs: atMs(-5), count: 2 } } },
  ],
  ['a transient error at the second failure, by the Events', true, { message: unreachable('10.1.1.1'), events: [failed(unreachable('10.1.1.1'), 2)] }],
  [
    'failures of an earlier pull of this container do not count',
    false,
    { message: unreachable('10.1.1.1'), events: [failed(unreachable('10.1.1.1'), 2, -100)] },
  ],
];
for (const [name, due, given] of dues) {
  test(`${due ? 'opens' : 'waits'}: ${name}`, () => {
    assert.deepEqual(
      judge(given).map(({ dueTimeMs }) => dueTimeMs),
      [due ? atMs(-60) : undefined],
    );
  });
}

const known = { reason: 'ErrImagePull', message: UNAUTHORIZED, timeMs: atMs(-15), count: 1 };
const sources: readonly (readonly [name: string, cause: string, given: Given])[] = [
  ['the status where it names a cause', 'image_not_found', { message: NOT_FOUND, past: { lastError: known }, events: [failed('pull QPS exceeded')] }],
  [
    'the last status that did, when it only backs off',
    'registry_auth',
    { message: `Back-off pulling image "${IMAGE}"`, past: { lastError: known }, events: [failed('pull QPS exceeded')] },
  ],
  [
    'a later Event',
    'pull_throttled',
    { message: `Back-off pulling image "${IMAGE}"`, past: { lastError: known }, events: [failed('pull QPS exceeded', 1, -5)] },
  ],
  ['the Event where the status never did', 'image_not_found', { message: `Back-off pulling image "${IMAGE}"`, events: [failed(NOT_FOUND), backOff] }],
  [
    'nothing, when only Error: ErrImagePull is known',
    'other',
    { message: `Back-off pulling image "${IMAGE}"`, events: [seenEvent({ reason: 'Failed', note: 'Error: ErrImagePull' })] },
  ],
  ['the reason RegistryUnavailable without a word', 'registry_unavailable', { reason: 'RegistryUnavailable', message: 'something' }],
  [
    'the error behind RegistryUnavailable',
    'registry_network',
    { reason: 'RegistryUnavailable', message: 'dial tcp 10.1.1.1:443: connect: connection refused' },
  ],
  ['the reason SignatureValidationFailed', 'image_corrupt', { reason: 'SignatureValidationFailed', message: 'something' }],
  [
    'the error behind ImageInspectError',
    'other',
    { reason: 'ImageInspectError', message: 'Failed to inspect image "": rpc error: code = Unknown desc = Id or size of image is not set' },
  ],
  [
    'an error of another reason, kept from before',
    'other',
    { past: { lastError: { reason: 'CreateContainerConfigError', message: 'secret "x" not found', timeMs: atMs(-15), count: 1 } } },
  ],
];
for (const [name, cause, given] of sources) {
  test(`takes the cause from ${name}`, () => {
    assert.deepEqual(
      judge(given).map((signal) => signal.cause),
      [cause],
    );
  });
}

const puller = (options: { readonly image: string; readonly secrets?: readonly string[] }): Pod =>
  pod({
    metadata: { name: 'api-1', uid: 'pod-api-1' },
    spec: { containers: [{ name: 'app', image: options.image }], imagePullSecrets: (options.secrets ?? []).map((name) => ({ name })) },
    status: { containerStatuses: [containerStatus({ imageID: 'sha256:aa' })] },
  });
const secret = object('Secret', { name: 'pull' });
const missingEvent = seenEvent({
  reason: 'FailedToRetrieveImagePullSecret',
  note: 'Unable to retrieve some image pull secrets (pull, other); attempting to pull the image may not succeed.',
  fieldPath: '',
});
const auth: readonly (readonly [name: string, cause: string, detail: string, given: Given])[] = [
  ['a pull secret that does not exist', 'registry_auth', 'missing_pull_secret', { message: DENIED, secrets: ['pull'] }],
  ['a pull secret of which nothing is known', 'registry_auth', '', { message: DENIED, secrets: ['pull'], options: { notInSync: ['secrets'] } }],
  [
    'a pull secret that the kubelet could not find',
    'registry_auth',
    'missing_pull_secret',
    { message: DENIED, secrets: ['pull'], events: [missingEvent], options: { notInSync: ['secrets'] } },
  ],
  ['no pull secret', 'registry_auth', 'missing_pull_secret', { message: UNAUTHORIZED }],
  [
    'no pull secret, at a registry with a credential plugin',
    'registry_auth',
    'credential_plugin',
    { message: 'no basic auth credentials', image: '1.dkr.ecr.eu-west-1.amazonaws.com/web:1' },
  ],
  [
    'a credential helper that is missing',
    'registry_auth',
    'credential_plugin',
    { message: 'error getting credentials - err: exec: "docker-credential-gcr": executable file not found in $PATH' },
  ],
  ['a pull secret that exists', 'registry_auth', '', { message: UNAUTHORIZED, secrets: ['pull'], options: { objects: [secret] } }],
  [
    'an ambiguous denial, with a secret that works at this registry',
    'image_not_found',
    '',
    { message: DENIED, secrets: ['pull'], options: { objects: [secret, puller({ image: 'reg.example.com/shop/api:1', secrets: ['pull'] })] } },
  ],
  [
    'an ambiguous denial, though others use another secret there',
    'registry_auth',
    '',
    { message: DENIED, secrets: ['pull'], options: { objects: [secret, puller({ image: 'reg.example.com/shop/api:1', secrets: ['other'] })] } },
  ],
  [
    'an ambiguous denial, though others pulled from this repository',
    'registry_auth',
    '',
    { message: DENIED, secrets: ['pull'], options: { objects: [secret, puller({ image: 'reg.example.com/shop/web:8', secrets: ['pull'] })] } },
  ],
  [
    'a clear denial, though the secret works at this registry',
    'registry_auth',
    '',
    { message: UNAUTHORIZED, secrets: ['pull'], options: { objects: [secret, puller({ image: 'reg.example.com/shop/api:1', secrets: ['pull'] })] } },
  ],
  ['an ambiguous denial of an official image of Docker Hub', 'image_not_found', '', { message: DENIED, image: 'nginxx:1' }],
  ['an ambiguous denial of another image of Docker Hub', 'registry_auth', 'missing_pull_secret', { message: DENIED, image: 'shop/web:1' }],
];
for (const [name, cause, detail, given] of auth) {
  test(`${name}: ${cause} ${detail}`, () => {
    assert.deepEqual(
      judge(given).map((signal) => [signal.cause, signal.detail]),
      [[cause, detail]],
    );
  });
}

const inRegion = (region: string) => ({ objects: [node({ metadata: { labels: { 'topology.kubernetes.io/region': region } } })] });
const networks: readonly (readonly [name: string, detail: string, given: Given])[] = [
  ['a private address that does not answer', 'private_endpoint_acl', { message: unreachable('10.1.1.1') }],
  ['a public address that does not answer', 'public_endpoint_acl', { message: unreachable('54.1.1.1') }],
  ['a shared address that does not answer', 'private_endpoint_acl', { message: unreachable('100.64.0.1') }],
  ['an address in IPv6', 'public_endpoint_acl', { message: unreachable('[2600:1f18::1]') }],
  ['Google, from nobody knows where', 'overseas', { message: unreachable('142.250.1.1'), image: 'gcr.io/a/b:1' }],
  ['Google, from elsewhere', 'public_endpoint_acl', { message: unreachable('142.250.1.1'), image: 'gcr.io/a/b:1', options: inRegion('us-east-1') }],
  ['Docker Hub, from mainland China', 'overseas', { message: unreachable('54.1.1.1'), image: 'nginx', options: inRegion('cn-hangzhou') }],
  ['a name that does not resolve', 'dns', { message: 'dial tcp: lookup reg.example.com: no such host' }],
  ['a port that is closed', 'refused', { message: 'dial tcp 10.1.1.1:443: connect: connection refused' }],
];
for (const [name, detail, given] of networks) {
  test(`${name}: registry_network ${detail}`, () => {
    assert.deepEqual(
      judge(given).map((signal) => [signal.cause, signal.detail]),
      [['registry_network', detail]],
    );
  });
}

test('shares registry and node where they may be to blame', () => {
  assert.deepEqual(judge({ message: unreachable('10.1.1.1') })[0]?.shared, { image: IMAGE, registry: 'reg.example.com', node: 'node-a' });
  assert.deepEqual(judge({ message: UNAUTHORIZED })[0]?.shared, { image: IMAGE, registry: 'reg.example.com' });
});

test('lets no attempt without a cause rename one with a cause', () => {
  const rank = (message: string): number => judge({ message })[0]?.rank ?? -1;
  assert.ok(rank(NOT_FOUND) > rank(unreachable('10.1.1.1')));
  assert.ok(rank(unreachable('10.1.1.1')) > rank('something new'));
});

test('counts from the end of the last run when a container that had run pulls again', () => {
  const lastState = { terminated: { exitCode: 1, reason: 'Error', startedAt: at(-50), finishedAt: at(-30) } };
  assert.equal(judge({ message: NOT_FOUND, app: { lastState, restartCount: 1 } })[0]?.fact.timeMs, atMs(-30));
});

test('speaks of init containers by their name', () => {
  const subject = pod({
    spec: { initContainers: [{ name: 'prep', image: 'a:1' }] },
    status: {
      phase: 'Pending',
      initContainerStatuses: [containerStatus({ name: 'prep', state: { waiting: { reason: 'ImagePullBackOff' } } })],
      containerStatuses: [containerStatus({ state: { waiting: { reason: 'PodInitializing' } } })],
    },
  });
  assert.deepEqual(
    imagePullFailure.pod?.(podView(subject)).map((signal) => signal.subject.container),
    ['prep'],
  );
});

const pulling = (last: number, options: { readonly image?: string } = {}): SeenEvent =>
  seenEvent({ reason: 'Pulling', type: 'Normal', note: `Pulling image "${options.image ?? IMAGE}"`, last });
const other = pod({
  metadata: { name: 'big', uid: 'pod-big' },
  status: { phase: 'Pending', containerStatuses: [containerStatus({ state: { waiting: { reason: 'ContainerCreating' } } })] },
});
const quiet = (events: readonly SeenEvent[], others: readonly SeenEvent[] = []) =>
  judge({ reason: 'ContainerCreating', events, options: { objects: [other], otherEvents: { 'pod-big': others } } }).map(({ cause, confidence, dueTimeMs }) => [
    cause,
    confidence,
    dueTimeMs,
  ]);
test('calls a pull that is long behind others queued', () => {
  assert.deepEqual(quiet([pulling(-30)], [pulling(-50)]), [['pull_queued', 'likely', atMs(270)]]);
});
test('gives a pull that has no other in its way twice the time', () => {
  assert.deepEqual(quiet([pulling(-30)], [pulling(-50), seenEvent({ reason: 'Pulled', last: -40 })]), [['pull_timeout', 'guess', atMs(570)]]);
});
test('says nothing of a container that is created, or does not pull', () => {
  assert.deepEqual(quiet([]), []);
  assert.deepEqual(quiet([pulling(-30), seenEvent({ reason: 'Pulled', last: -20 })]), []);
  assert.deepEqual(quiet([pulling(-30), seenEvent({ reason: 'Created', last: -20 })]), []);
});

const silent: readonly (readonly [name: string, given: Given])[] = [
  ['a pod that is deleted', { message: NOT_FOUND, metadata: { deletionTimestamp: at(10) } }],
  ['a container that runs', { app: { state: { running: { startedAt: at(-5) } } } }],
  ['a container that waits for something else', { reason: 'CreateContainerConfigError', message: 'secret "x" not found' }],
  ['a container that backs off after crashes', { reason: 'CrashLoopBackOff', events: [backOff] }],
];
for (const [name, given] of silent) test(`says nothing of ${name}`, () => assert.deepEqual(judge(given), []));
