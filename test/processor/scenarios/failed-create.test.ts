import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProjectedObject, Resource, Workload } from '../../../collector/objects.ts';
import { containerCreateFailure } from '../../../processor/scenarios/container-create-failure.ts';
import { classifyRefusal, failedCreateOf, quotaNameOf, refusalDueMs } from '../../../processor/scenarios/failed-create.ts';
import type { SeenEvent } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, controllerView, object, seenEvent, webDeployment, workload } from '../../helpers/view.ts';

interface Case {
  readonly text: string;
  readonly cause: string;
  readonly detail?: string;
  readonly passing?: boolean;
}

const messages: readonly Case[] = [
  // Quota.
  {
    text: 'pods "web-869b9fd79d-ld52l" is forbidden: exceeded quota: q, requested: requests.cpu=5m, used: requests.cpu=20m, limited: requests.cpu=20m',
    cause: 'quota_exceeded',
  },
  {
    text: 'pods "chiya-api-x" is forbidden: failed quota: compute-quota: must specify limits.cpu for: podinfo; limits.memory for: podinfo',
    cause: 'quota_exceeded',
  },
  { text: 'pods "web-" is forbidden: insufficient quota to consume: pods', cause: 'quota_exceeded' },
  { text: 'pods "web-" is forbidden: status unknown for quota: q, resources: pods', cause: 'quota_exceeded', passing: true },
  {
    text: 'persistentvolumeclaims "data-web-0" is forbidden: exceeded quota: storage, requested: requests.storage=10Gi, used: requests.storage=90Gi, limited: requests.storage=95Gi',
    cause: 'quota_exceeded',
  },
  // Security policies proper.
  {
    text: 'pods "priv-678f5f4f59-hgl59" is forbidden: violates PodSecurity "restricted:latest": privileged (container "app" must not set securityContext.privileged=true)',
    cause: 'security_policy',
  },
  {
    text: 'pods "w-" is forbidden: unable to validate against any pod security policy: [spec.containers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed]',
    cause: 'security_policy',
  },
  {
    text: 'pods "my-deployment-f9c7845d9-" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.volumes[0]: Invalid value: "hostPath": hostPath volumes are not allowed to be used]',
    cause: 'security_policy',
  },
  { text: 'pods "pause-7774d79b5-" is forbidden: no providers available to validate pod request', cause: 'security_policy' },
  {
    text: 'pods "gw-65cfcb476c-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount]',
    cause: 'security_policy',
  },
  { text: 'pods "x" is forbidden: pod.Spec.SecurityContext.RunAsUser is forbidden', cause: 'security_policy' },
  { text: 'pods "x" is forbidden: SecurityContext.SELinuxOptions is forbidden', cause: 'security_policy' },
  {
    text: 'admission webhook "pod-security-webhook.kubernetes.io" denied the request: pods "t-5b4fc5bb4-hvqcm" is forbidden: violates PodSecurity "restricted:v1.28": allowPrivilegeEscalation != false',
    cause: 'security_policy',
  },
  // Webhooks and other policies.
  { text: 'admission webhook "validation.gatekeeper.sh" denied the request: [resource-limits] container <web> has no cpu limit', cause: 'admission_denied' },
  {
    text: 'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/shop/web was blocked due to the following policies require-labels',
    cause: 'admission_denied',
  },
  { text: 'admission webhook "x.example.com" denied the request without explanation', cause: 'admission_denied' },
  {
    text: 'admission webhook "mutate.kyverno.svc-fail" denied the request: failed to verify image ghcr.io/x/y:1: dial tcp: i/o timeout',
    cause: 'admission_denied',
  },
  { text: "pods \"web-x\" is forbidden: ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: failed expression", cause: 'admission_denied' },
  { text: 'pods "w-" is forbidden: image policy webhook backend denied one or more images: not signed', cause: 'admission_denied' },
  {
    text: 'pods "web-" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi, minimum cpu usage per Container is 100m. No request is specified]',
    cause: 'admission_denied',
  },
  { text: 'pods "web-" is forbidden: no PriorityClass with name high was found', cause: 'admission_denied' },
  { text: 'pods "web-" is forbidden: pod rejected: RuntimeClass "gvisor" not found', cause: 'admission_denied' },
  { text: 'pods "web-" is forbidden: pod node label selector conflicts with its namespace node label selector', cause: 'admission_denied' },
  { text: 'Internal error occurred: add operation does not apply: doc is missing path: "/metadata/annotations/x": missing value', cause: 'admission_denied' },
  // Webhooks that do not answer.
  {
    text: 'Internal error occurred: admission plugin "MutatingAdmissionWebhook" failed to complete mutation in 13s',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  {
    text: 'pods "x" is forbidden: Post "https://image-bouncer.default.svc:1323/image_policy?timeout=30s": dial tcp: lookup image-bouncer.default.svc: no such host',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  {
    text: 'Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": context deadline exceeded',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  {
    text: 'Internal error occurred: failed calling webhook "sidecar-injector.istio.io": Post "https://istiod.istio-system.svc:443/inject?timeout=30s": x509: certificate signed by unknown authority',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  {
    text: 'Internal error occurred: failed calling admission webhook "sidecar-injector.istio.io": Post https://istio-sidecar-injector.istio-system.svc:443/inject: x509: certificate signed by unknown authority',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  {
    text: 'Internal error occurred: failed calling webhook "mpod.kb.io": Post "https://s.ns.svc:443/m": no endpoints available for service "s"',
    cause: 'admission_denied',
    detail: 'webhook_unreachable',
  },
  // Permissions and identities.
  {
    text: 'pods is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "shop"',
    cause: 'rbac_forbidden',
  },
  {
    text: 'pods "web-" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: , <nil>',
    cause: 'rbac_forbidden',
  },
  {
    text: 'pods "d-574648dd86-" is forbidden: error looking up service account create-sa/absent-sa: serviceaccount "absent-sa" not found',
    cause: 'missing_service_account',
  },
  { text: 'pods "d-" is forbidden: service account shop/builder was not found, retry after the service account is created', cause: 'missing_service_account' },
  {
    text: 'pods "d-" is forbidden: error looking up service account shop/default: serviceaccount "default" not found',
    cause: 'missing_service_account',
    passing: true,
  },
  { text: 'pods "d-" is forbidden: error looking up service account default/builder: serviceaccount "builder" not found', cause: 'missing_service_account' },
  {
    text: 'No API token found for service account "default", retry after the token is automatically created and added to the service account',
    cause: 'missing_service_account',
    passing: true,
  },
  // What passes, and what nobody knows.
  { text: 'pods "web-0" already exists', cause: 'other', passing: true },
  { text: 'object is being deleted: pods "web-0" already exists', cause: 'other', passing: true },
  { text: 'Internal error occurred: resource quota evaluation timed out', cause: 'other', passing: true },
  { text: 'etcdserver: request timed out', cause: 'other', passing: true },
  { text: 'Pod "web-x" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit', cause: 'other' },
];
for (const { text, cause, detail = '', passing = false } of messages) {
  test(`refusal: ${text.slice(0, 110)}`, () => {
    const refusal = classifyRefusal(text);
    assert.deepEqual([refusal?.cause, refusal?.detail, refusal?.passing], [cause, detail, passing]);
    assert.equal(refusal?.scenario, cause === 'quota_exceeded' ? 'scheduling_failure' : 'container_create_failure');
  });
}

test('a namespace on its way out refuses everything, and that means nothing', () => {
  assert.equal(classifyRefusal('pods "web-x" is forbidden: unable to create new content in namespace shop because it is being terminated'), undefined);
});

test('the quota is named by the answer', () => {
  assert.equal(quotaNameOf('pods "x" is forbidden: exceeded quota: team-a, requested: pods=1, used: pods=2, limited: pods=2'), 'team-a');
  assert.equal(quotaNameOf('pods "x" is forbidden: failed quota: compute: must specify limits.cpu'), 'compute');
  assert.equal(quotaNameOf('pods "x" is forbidden: insufficient quota to consume: pods'), undefined);
});

const DENIED = 'Error creating: admission webhook "v.example.com" denied the request: no';
const failure = (options: Partial<SeenEvent> & { readonly first?: number; readonly last?: number } = {}): SeenEvent =>
  seenEvent({ reason: 'FailedCreate', component: 'replicaset-controller', fieldPath: '', note: DENIED, first: -40, last: -5, ...options });
const success = (last: number): SeenEvent => seenEvent({ reason: 'SuccessfulCreate', type: 'Normal', component: 'controller', fieldPath: '', last });
const refusing = (message = DENIED.slice('Error creating: '.length)): Workload =>
  workload('ReplicaSet', {
    metadata: { name: 'web-7d9c' },
    spec: { replicas: 2 },
    status: { replicas: 0, conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: at(-40) }] },
  });

interface Judged {
  readonly name: string;
  readonly controller: Workload;
  readonly events: readonly SeenEvent[];
  readonly objects?: readonly ProjectedObject[];
  readonly notInSync?: readonly Resource[];
  /** Due, seconds from now; undefined: never by waiting; null: no signal. */
  readonly due: number | undefined | null;
}
const statefulSet = (replicas: number): Workload => workload('StatefulSet', { spec: { replicas: 3 }, status: { replicas } });
const job = (status: Workload['status'], spec: Partial<Workload['spec']> = {}): Workload =>
  workload('Job', { spec: { parallelism: 1, completions: 1, ...spec }, status });

const refusedRollout = (reason: string): Workload =>
  workload('Deployment', {
    spec: { replicas: 2 },
    status: {
      replicas: 2,
      conditions: [{ type: 'Progressing', status: reason.startsWith('New') ? 'True' : 'False', reason, message: DENIED, lastTransitionTime: at(-40) }],
    },
  });
const rolloutFailure = failure({
  reason: 'ReplicaSetCreateError',
  component: 'deployment-controller',
  note: 'Failed to create new replica set "web-2": replicasets.apps "web-2" is forbidden: exceeded quota: q, requested: count/replicasets.apps=1, used: count/replicasets.apps=9, limited: count/replicasets.apps=9',
  count: 3,
});
const jobFailure = failure({
  component: 'cronjob-controller',
  note: 'Error creating job: jobs.batch is forbidden: User "system:serviceaccount:kube-system:cronjob-controller" cannot create resource "jobs" in API group "batch" in the namespace "shop"',
  count: 2,
});

const judged: readonly Judged[] = [
  { name: 'refused twice', controller: refusing(), events: [failure({ count: 2 })], due: -40 },
  { name: 'refused twice, in two Event objects', controller: refusing(), events: [failure({ uid: 'a' }), failure({ uid: 'b' })], due: -40 },
  { name: 'refused once: only if it lasts', controller: refusing(), events: [failure()], due: 20 },
  { name: 'the Events are gone, the condition stands', controller: refusing(), events: [], due: 20 },
  {
    name: 'a passing refusal, however often: only if it lasts',
    controller: refusing('pods "web-0" already exists'),
    events: [failure({ note: 'Error creating: pods "web-0" already exists', count: 9 })],
    due: 20,
  },
  {
    name: 'a ReplicaSet without the condition creates again',
    controller: workload('ReplicaSet', { spec: { replicas: 2 }, status: { replicas: 1 } }),
    events: [failure({ count: 9 })],
    due: null,
  },
  {
    name: 'a ReplicaSet of which only the Events are known',
    controller: workload('ReplicaSet', { spec: { replicas: undefined } }),
    events: [failure({ count: 2 })],
    due: -40,
  },
  {
    name: 'a condition about deletions',
    controller: workload('ReplicaSet', { status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedDelete', message: 'x' }] } }),
    events: [],
    due: null,
  },
  {
    name: 'a StatefulSet refused twice',
    controller: statefulSet(1),
    events: [failure({ note: 'create Pod web-1 in StatefulSet web failed error: admission webhook "v.example.com" denied the request: no', count: 2 })],
    due: -40,
  },
  { name: 'a StatefulSet refused once: nothing says that it is refused again', controller: statefulSet(1), events: [failure()], due: undefined },
  { name: 'a StatefulSet that has all its pods', controller: statefulSet(3), events: [failure({ count: 5 })], due: null },
  { name: 'a StatefulSet that created a pod since', controller: statefulSet(2), events: [failure({ count: 5, last: -10 }), success(-5)], due: null },
  {
    name: 'a StatefulSet that failed again after a success',
    controller: statefulSet(2),
    events: [success(-20), failure({ count: 2, first: -15, last: -5 })],
    due: -15,
  },
  {
    name: 'a DaemonSet short of pods',
    controller: workload('DaemonSet', { status: { desiredNumberScheduled: 3, currentNumberScheduled: 1 } }),
    events: [failure({ count: 4 })],
    due: -40,
  },
  {
    name: 'a DaemonSet with all pods',
    controller: workload('DaemonSet', { status: { desiredNumberScheduled: 3, currentNumberScheduled: 3 } }),
    events: [failure({ count: 4 })],
    due: null,
  },
  {
    name: 'a DaemonSet refused in its first round: up to 1.26 it wrote no status',
    controller: workload('DaemonSet', { metadata: { generation: 1 }, status: { desiredNumberScheduled: 0, currentNumberScheduled: 0 } }),
    events: [failure({ count: 4 })],
    due: -40,
  },
  { name: 'a DaemonSet of which only the Events are known', controller: workload('DaemonSet', { status: {} }), events: [failure({ count: 4 })], due: -40 },
  {
    name: 'a Deployment refused its ReplicaSet: only if it lasts, unless Events count',
    controller: refusedRollout('ReplicaSetCreateError'),
    events: [],
    due: 20,
  },
  { name: 'a Deployment refused its ReplicaSet twice', controller: refusedRollout('ReplicaSetCreateError'), events: [rolloutFailure], due: -40 },
  { name: 'a Deployment whose rollout goes on', controller: refusedRollout('NewReplicaSetCreated'), events: [rolloutFailure], due: null },
  { name: 'a Deployment whose rollout is only late', controller: refusedRollout('ProgressDeadlineExceeded'), events: [], due: null },
  { name: 'a Deployment without a progress deadline', controller: workload('Deployment', { spec: { replicas: 2 } }), events: [rolloutFailure], due: -40 },
  {
    name: 'a Deployment without a progress deadline that went on',
    controller: workload('Deployment', { spec: { replicas: 2 } }),
    events: [rolloutFailure, seenEvent({ reason: 'ScalingReplicaSet', type: 'Normal', note: 'Scaled up replica set web-2 from 0 to 1', last: -2 })],
    due: null,
  },
  { name: 'a Deployment repeats what its ReplicaSet says itself', controller: { ...refusing(), kind: 'Deployment' }, events: [], due: null },
  {
    name: 'a Deployment speaks for ReplicaSets that may not be read',
    controller: { ...refusing(), kind: 'Deployment' },
    events: [],
    notInSync: ['replicasets'],
    due: 20,
  },
  { name: 'a CronJob refused its Job twice', controller: workload('CronJob', {}), events: [jobFailure], due: -40 },
  { name: 'a CronJob that is suspended', controller: workload('CronJob', { spec: { suspend: true } }), events: [jobFailure], due: null },
  { name: 'a CronJob that ran since', controller: workload('CronJob', { status: { lastScheduleTime: at(-3) } }), events: [jobFailure], due: null },
  { name: 'a Job without a pod', controller: job({ active: 0 }), events: [failure({ count: 2 })], due: -40 },
  { name: 'a Job that is done', controller: job({ succeeded: 1, completionTime: at(-1) }), events: [failure({ count: 2 })], due: null },
  { name: 'a Job that failed', controller: job({ conditions: [{ type: 'Failed', status: 'True' }] }), events: [failure({ count: 2 })], due: null },
  { name: 'a suspended Job', controller: job({ active: 0 }, { suspend: true }), events: [failure({ count: 2 })], due: null },
  {
    name: 'a controller that is being deleted',
    controller: { ...refusing(), metadata: { ...refusing().metadata, deletionTimestamp: at(-1) } },
    events: [failure({ count: 5 })],
    due: null,
  },
  {
    name: 'a namespace that is being deleted',
    controller: refusing(),
    events: [failure({ count: 5 })],
    objects: [object('Namespace', { name: 'shop', deletionTimestamp: at(-1) })],
    due: null,
  },
  {
    name: 'refused because the namespace ends',
    controller: refusing('pods "x" is forbidden: unable to create new content in namespace shop because it is being terminated'),
    events: [],
    due: null,
  },
  { name: 'a controller that never failed', controller: statefulSet(1), events: [success(-5)], due: null },
];
for (const { name, controller, events, objects = [], notInSync = [], due } of judged) {
  test(`FailedCreate: ${name}`, () => {
    const view = controllerView(controller, events, { objects, notInSync });
    const failed = failedCreateOf(view);
    if (due === null || failed === undefined) assert.equal(failed, due === null ? undefined : 'a failure');
    else assert.equal(refusalDueMs(view, failed), due === undefined ? undefined : atMs(due));
  });
}

test('the workload on top of the controller is the subject', () => {
  const [, replicaSet] = webDeployment();
  const controller = { ...refusing(), metadata: replicaSet!.metadata };
  const [signal] = containerCreateFailure.controller?.(controllerView(controller, [failure({ count: 2 })], { objects: webDeployment() })) ?? [];
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: '' });
  assert.equal(signal?.cause, 'admission_denied');
  assert.match(signal?.summary ?? '', /^Deployment shop\/web: pods are not created: admission denied it: admission webhook/);
});

test('a condition keeps the words of the first refusal; the latest Event knows better', () => {
  const stale = refusing('pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2');
  assert.equal(failedCreateOf(controllerView(stale, [failure({ count: 2, last: -5 })]))?.cause, 'admission_denied');
  assert.equal(failedCreateOf(controllerView(stale, [failure({ count: 2, first: -90, last: -80 })]))?.cause, 'quota_exceeded');
});

test('a rollout and a schedule that are refused are read without what their controllers put before the answer', () => {
  const rollout = failedCreateOf(controllerView(workload('Deployment', { spec: { replicas: 2 } }), [rolloutFailure]));
  assert.match(rollout?.message ?? '', /^replicasets\.apps "web-2" is forbidden/);
  assert.equal(rollout?.cause, 'quota_exceeded');
  assert.equal(failedCreateOf(controllerView(workload('CronJob', {}), [jobFailure]))?.cause, 'rbac_forbidden');
});

test('quota is not told by container_create_failure', () => {
  const controller = refusing('pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2');
  assert.deepEqual(containerCreateFailure.controller?.(controllerView(controller, [])), []);
});
