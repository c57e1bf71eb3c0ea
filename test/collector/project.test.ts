import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cleanObject } from '../../collector/clean-object.ts';
import type { ProjectedObject, Resource } from '../../collector/objects.ts';
import { RESOURCES } from '../../collector/objects.ts';
import { identify, projectObject } from '../../collector/project.ts';
import { MAX_DEPTH, MAX_FREE_TEXT, TRUNCATED } from '../../collector/project-fields.ts';
import { recordedObjects, recordingPaths } from '../helpers/recorded.ts';
import { CANARY, SECRET_OBJECTS } from '../helpers/secret-objects.ts';

const METADATA = { name: 'x', uid: 'u', resourceVersion: '1' };
const KEPT_METADATA = { name: 'x', namespace: '', uid: 'u', resourceVersion: '1' };

function project(resource: Resource, raw: object): ProjectedObject {
  const projection = projectObject(resource, { metadata: METADATA, ...raw });
  assert.ok(projection.ok, projection.ok ? '' : projection.reason);
  return projection.object;
}
/** What is kept beside kind, apiVersion and metadata. */
function body(resource: Resource, raw: object): Record<string, unknown> {
  const { kind, apiVersion, metadata, ...rest } = project(resource, raw) as unknown as Record<string, unknown>;
  return rest;
}
const podSpec = (spec: object): Record<string, unknown> => (body('pods', { spec })['spec'] ?? {}) as Record<string, unknown>;
const container = (fields: object): unknown => (podSpec({ containers: [{ name: 'app', ...fields }] })['containers'] as unknown[])[0];

describe('metadata', () => {
  test('keeps identity, ownership, labels and the annotations of the short list', () => {
    const raw = {
      name: 'web-1',
      generateName: 'web-',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '7',
      generation: 3,
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: '2026-01-02T00:00:00Z',
      deletionGracePeriodSeconds: 30,
      labels: { app: 'web' },
      annotations: { 'deployment.kubernetes.io/revision': '3', 'example.com/owner': 'me' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'o', controller: true, blockOwnerDeletion: true }],
      finalizers: ['example.com/hold'],
      managedFields: [{}],
      selfLink: '/x',
    };
    const { managedFields, selfLink, ...kept } = raw;
    assert.deepEqual(project('pods', { metadata: raw }).metadata, {
      ...kept,
      annotations: { 'deployment.kubernetes.io/revision': '3' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'o', controller: true }],
    });
  });

  test('has an empty namespace where there is none, and no annotations where none are kept', () => {
    assert.deepEqual(
      project('nodes', { metadata: { ...METADATA, annotations: { a: 'b' }, generateName: '', deletionTimestamp: null } }).metadata,
      KEPT_METADATA,
    );
  });

  const rejected: [string, unknown, string][] = [
    ['null', null, 'not an object'],
    ['a list', [], 'not an object'],
    ['a string', 'pod', 'not an object'],
    ['no metadata', {}, 'metadata is missing'],
    ['metadata of another type', { metadata: [] }, 'metadata is missing'],
    ['no name', { metadata: { ...METADATA, name: '' } }, 'no valid metadata.name'],
    ['no uid and no version', { metadata: { name: 'x', uid: 5 } }, 'no valid metadata.uid, metadata.resourceVersion'],
    ['a uid longer than any', { metadata: { ...METADATA, uid: 'u'.repeat(254) } }, 'no valid metadata.uid'],
  ];
  for (const [name, raw, reason] of rejected) test(`rejects ${name}`, () => assert.deepEqual(projectObject('pods', raw), { ok: false, reason }));

  test('is told as far as it can be from an object that is rejected', () => {
    assert.deepEqual(identify({ metadata: { uid: 'u', resourceVersion: 5 } }), { uid: 'u', rv: '' });
    assert.deepEqual(identify(['x']), { uid: '', rv: '' });
  });
});

describe('a pod spec', () => {
  test('of every recorded pod and pod template is kept to the last field', () => {
    let pods = 0;
    for (const path of recordingPaths('cases')) {
      for (const { resource, object } of recordedObjects(path)) {
        const { spec } = object as { spec: { template?: { spec: object } } };
        if (resource === 'pods') {
          pods += 1;
          assert.deepEqual(body(resource, object)['spec'], spec);
        } else if (spec?.template) {
          const kept = body(resource, object) as { spec: { template: { spec: object } } };
          assert.deepEqual(kept.spec.template.spec, spec.template.spec);
        }
      }
    }
    assert.ok(pods > 1_000);
  });

  test('keeps fields that no release knows yet', () => {
    const spec = { containers: [{ name: 'app', futureProbe: { every: 3, of: [{ x: true }] } }], futurePolicy: { mode: 'Fast', weight: 1.5 } };
    assert.deepEqual(podSpec(spec), spec);
  });

  test('says that there were env values, and keeps the references', () => {
    const valueFrom = { secretKeyRef: { name: 'db', key: 'password', optional: true } };
    assert.deepEqual(
      container({ env: [{ name: 'A', value: 'x' }, { name: 'B', value: '' }, { name: 'C' }, { name: 'PASSWORD', valueFrom }, { value: 'nameless' }] }),
      {
        name: 'app',
        env: [{ name: 'A', value: '<redacted>' }, { name: 'B' }, { name: 'C' }, { name: 'PASSWORD', valueFrom }],
      },
    );
  });

  test('leaves selectors, labels and images as they are, however they are called', () => {
    const spec = {
      containers: [{ name: 'app', image: 'token:v1.2.3', env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['auth']" } } }] }],
      nodeSelector: { auth: 'strong', token: 'abc123' },
      affinity: {
        podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ podAffinityTerm: { labelSelector: { matchLabels: { secret: 'yes' } } } }] },
      },
      volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { metadata: { labels: { password: 'x' } } } } }],
    };
    assert.deepEqual(podSpec(spec), spec);
  });

  const wrong: [string, object, object][] = [
    ['containers', { containers: 'app' }, { containers: [] }],
    ['a container', { containers: [5, { image: 'nameless' }, { name: 'app' }] }, { containers: [{ name: 'app' }] }],
    ['a scalar', { containers: [], nodeName: 5, hostNetwork: 'yes', priority: '1' }, { containers: [] }],
    ['a toleration', { containers: [], tolerations: [{ key: 1, operator: 'Exists' }, 'x'] }, { containers: [], tolerations: [{ operator: 'Exists' }] }],
    ['a selector', { containers: [], nodeSelector: { a: 1, b: 'x' } }, { containers: [], nodeSelector: { b: 'x' } }],
    ['null', { containers: [], affinity: null, futureField: { a: null, b: 1 } }, { containers: [], futureField: { b: 1 } }],
    ['a prototype', JSON.parse('{"containers":[],"x":{"__proto__":{"a":1},"constructor":2}}'), { containers: [], x: { constructor: 2 } }],
  ];
  for (const [name, spec, kept] of wrong) {
    test(`leaves out ${name} of a wrong type, and nothing else`, () =>
      assert.deepEqual(JSON.parse(JSON.stringify(podSpec(spec))), JSON.parse(JSON.stringify(kept))));
  }

  const nested = (levels: number): unknown => (levels === 0 ? 'bottom' : { a: nested(levels - 1) });
  test('is kept down to the greatest depth', () => assert.ok(JSON.stringify(podSpec({ containers: [], deep: nested(MAX_DEPTH) })).includes('bottom')));
  for (const [name, deep] of [
    ['objects', nested(MAX_DEPTH + 1)],
    ['lists', JSON.parse('['.repeat(9_000) + ']'.repeat(9_000))],
  ] as const) {
    test(`nested deeper in ${name} is rejected`, () => {
      assert.deepEqual(projectObject('pods', { metadata: METADATA, spec: { deep } }), { ok: false, reason: `nested deeper than ${MAX_DEPTH} levels` });
    });
  }
});

describe('a pod status', () => {
  test('keeps phase, conditions and every list of container statuses', () => {
    const terminated = {
      exitCode: 137,
      signal: 9,
      reason: 'OOMKilled',
      message: 'm',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:00:05Z',
      containerID: 'c://1',
    };
    const status = {
      phase: 'Running',
      reason: 'Evicted',
      message: 'm',
      startTime: '2026-01-01T00:00:00Z',
      podIP: '10.0.0.1',
      hostIP: '10.0.0.2',
      qosClass: 'Burstable',
      nominatedNodeName: 'n1',
      resize: 'Deferred',
      conditions: [{ type: 'Ready', status: 'False', reason: 'R', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      containerStatuses: [
        {
          name: 'app',
          image: 'i',
          imageID: 'docker-pullable://nginx@sha256:abc',
          containerID: 'c://2',
          ready: false,
          started: true,
          restartCount: 3,
          state: { waiting: {} },
          lastState: { terminated },
          allocatedResources: { cpu: '1' },
          resources: { limits: { cpu: '1' }, requests: { cpu: '500m' } },
        },
      ],
      initContainerStatuses: [{ name: 'init', state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }],
      ephemeralContainerStatuses: [{ name: 'debug', state: { terminated } }],
    };
    const raw = structuredClone(status) as Record<string, unknown>;
    Object.assign(raw, { podIPs: [{ ip: '10.0.0.1' }], observedGeneration: 2 });
    (raw['conditions'] as object[])[0] = { ...status.conditions[0], lastProbeTime: '2026-01-01T00:00:09Z', observedGeneration: 2 };
    assert.deepEqual(body('pods', { status: raw })['status'], status);
  });

  test('cuts what an application wrote, after redacting it', () => {
    const message = `${'x'.repeat(MAX_FREE_TEXT - 8)} token=${'y'.repeat(100)}`;
    const { message: kept } = body('pods', { status: { message } })['status'] as { message: string };
    assert.equal(kept, `${'x'.repeat(MAX_FREE_TEXT - 8)} token=<${TRUNCATED}`);
  });

  test('is empty rather than absent', () => assert.deepEqual(body('pods', { spec: 5, status: 'x' }), { spec: { containers: [] }, status: {} }));
});

describe('an Event', () => {
  const involvedObject = { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'p', apiVersion: 'v1', resourceVersion: '5', fieldPath: 'spec.containers{app}' };
  const regarding = { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'p', fieldPath: 'spec.containers{app}' };
  const created = '2026-01-01T00:00:00Z';
  const event = (fields: object): Record<string, unknown> =>
    body('events', { metadata: { ...METADATA, creationTimestamp: created }, involvedObject, type: 'Warning', reason: 'R', message: 'm', ...fields });
  const kept = { regarding, type: 'Warning', reason: 'R', note: 'm' };
  const cases: [string, object, object][] = [
    [
      'of the legacy recorder',
      { source: { component: 'kubelet', host: 'n' }, reportingComponent: 'kubelet', firstTimestamp: 't1', lastTimestamp: 't2', count: 4, eventTime: null },
      { component: 'kubelet', firstTime: 't1', lastTime: 't2', count: 4 },
    ],
    [
      "of the scheduler's, the first time",
      { source: {}, reportingComponent: 'default-scheduler', eventTime: 't1', firstTimestamp: null, lastTimestamp: null, action: 'Scheduling' },
      { component: 'default-scheduler', action: 'Scheduling', firstTime: 't1', lastTime: 't1', count: 1 },
    ],
    [
      "of the scheduler's, in a series",
      { source: {}, reportingComponent: 'default-scheduler', eventTime: 't1', series: { count: 7, lastObservedTime: 't9' } },
      { component: 'default-scheduler', firstTime: 't1', lastTime: 't9', count: 7 },
    ],
    ['without any time', { count: 0 }, { component: '', firstTime: created, lastTime: created, count: 1 }],
    ['counted below zero', { count: -3 }, { component: '', firstTime: created, lastTime: created, count: 1 }],
    ['counted beyond what is exact', { count: 2 ** 53 + 2 }, { component: '', firstTime: created, lastTime: created, count: 2 ** 53 + 2 }],
    ['of wrong types', { source: 5, series: 'x', count: 'many', action: 5, related: [] }, { component: '', firstTime: created, lastTime: created, count: 1 }],
    [
      'with a related object',
      { related: { kind: 'Pod', name: 'other' }, count: 2.9 },
      { related: { kind: 'Pod', namespace: '', name: 'other', uid: '' }, component: '', firstTime: created, lastTime: created, count: 2 },
    ],
  ];
  for (const [name, fields, normal] of cases) test(`${name} is normalised`, () => assert.deepEqual(event(fields), { ...kept, ...normal }));

  test('does not carry the object that its writer could not create', () => {
    const printed = 'failed to create pod: pods "a" is forbidden: no, pod: {"spec":{"containers":[{"env":[{"name":"A","value":"private"}]}]}}';
    assert.equal(event({ message: printed })['note'], 'failed to create pod: pods "a" is forbidden: no');
    assert.equal(event({ message: 'back-off restarting, pod: web' })['note'], 'back-off restarting, pod: web');
  });

  test('about nothing still has every field that rules read', () => {
    const { firstTime, lastTime, ...rest } = body('events', {});
    assert.deepEqual(rest, { regarding: { kind: '', namespace: '', name: '', uid: '' }, type: '', reason: '', note: '', component: '', count: 1 });
  });
});

const CONDITION = { type: 'Ready', status: 'True', reason: 'R', message: 'm', lastTransitionTime: 't' };
const CONDITIONS = [{ ...CONDITION, lastHeartbeatTime: 'h', lastUpdateTime: 'u' }];
const TEMPLATE = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'app', image: 'i' }] } };
const SELECTOR = { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] };
const JOB = {
  parallelism: 1,
  completions: 2,
  backoffLimit: 3,
  activeDeadlineSeconds: 4,
  suspend: true,
  podFailurePolicy: { rules: [{ action: 'Ignore' }] },
  template: TEMPLATE,
};
const REQUIRED = { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] } };

describe('of every other kind what rules need is kept, and nothing else', () => {
  /** [resource, what is kept, what is not] */
  const cases: [Resource, Record<string, unknown>, Record<string, unknown>?][] = [
    [
      'namespaces',
      { status: { phase: 'Terminating', conditions: [CONDITION] } },
      { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Terminating', conditions: CONDITIONS } },
    ],
    [
      'nodes',
      {
        spec: { unschedulable: true, taints: [{ key: 'k', value: 'v', effect: 'NoSchedule', timeAdded: 't' }], providerID: 'x://1' },
        status: {
          allocatable: { cpu: '4', pods: '110' },
          capacity: { cpu: '4' },
          conditions: [CONDITION],
          nodeInfo: { kubeletVersion: 'v1.34.2', osImage: 'x' },
          volumesInUse: ['v1'],
          volumesAttached: ['v1'],
        },
      },
      {
        spec: {
          unschedulable: true,
          taints: [{ key: 'k', value: 'v', effect: 'NoSchedule', timeAdded: 't' }, { key: 'no effect' }],
          providerID: 'x://1',
          podCIDR: 'c',
        },
        status: {
          allocatable: { cpu: '4', pods: 110, bad: {} },
          capacity: { cpu: '4' },
          conditions: CONDITIONS,
          nodeInfo: { kubeletVersion: 'v1.34.2', osImage: 'x', machineID: 'm' },
          volumesInUse: ['v1'],
          volumesAttached: [{ name: 'v1', devicePath: '/dev' }, 5],
          images: [{}],
          addresses: [{}],
        },
      },
    ],
    [
      'priorityclasses',
      { value: 5, globalDefault: true, preemptionPolicy: 'Never' },
      { value: 5, globalDefault: true, preemptionPolicy: 'Never', description: 'd' },
    ],
    [
      'storageclasses',
      {
        provisioner: 'p',
        reclaimPolicy: 'Delete',
        volumeBindingMode: 'Immediate',
        allowVolumeExpansion: true,
        allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
      },
    ],
    [
      'persistentvolumes',
      {
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          storageClassName: 's',
          claimRef: { kind: 'PersistentVolumeClaim', namespace: 'n', name: 'c', uid: 'u' },
          nodeAffinity: REQUIRED,
          csi: { driver: 'd' },
        },
        status: { phase: 'Bound' },
      },
    ],
    ['csinodes', { spec: { drivers: [{ name: 'd', allocatable: { count: 25 }, topologyKeys: ['zone'] }] } }],
    [
      'persistentvolumeclaims',
      {
        spec: { storageClassName: '', volumeName: 'v', accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', resources: { requests: { storage: '1Gi' } } },
        status: { phase: 'Pending', capacity: { storage: '1Gi' } },
      },
    ],
    [
      'resourcequotas',
      {
        spec: {
          hard: { pods: '1' },
          scopes: ['BestEffort'],
          scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
        },
        status: { hard: { pods: '1' }, used: { pods: '1' } },
      },
    ],
    ['limitranges', { spec: { limits: [{ type: 'Container', default: { cpu: '1' }, defaultRequest: { cpu: '1' }, max: { cpu: '2' }, min: { cpu: '1m' } }] } }],
    [
      'poddisruptionbudgets',
      {
        spec: { maxUnavailable: '25%', selector: SELECTOR },
        status: { currentHealthy: 1, desiredHealthy: 2, disruptionsAllowed: 0, expectedPods: 2, conditions: [CONDITION] },
      },
    ],
    [
      'deployments',
      {
        spec: {
          replicas: 0,
          paused: true,
          selector: SELECTOR,
          template: TEMPLATE,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
          progressDeadlineSeconds: 600,
        },
        status: {
          observedGeneration: 2,
          replicas: 1,
          readyReplicas: 1,
          updatedReplicas: 1,
          availableReplicas: 1,
          unavailableReplicas: 0,
          conditions: [CONDITION],
        },
      },
    ],
    [
      'replicasets',
      { spec: { replicas: 2, minReadySeconds: 3, selector: SELECTOR, template: TEMPLATE }, status: { replicas: 2, readyReplicas: 1, conditions: [CONDITION] } },
    ],
    [
      'statefulsets',
      {
        spec: {
          replicas: 2,
          serviceName: 's',
          podManagementPolicy: 'Parallel',
          template: TEMPLATE,
          updateStrategy: { type: 'OnDelete' },
          volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: { storageClassName: 's' } }],
        },
        status: { currentRevision: 'a', updateRevision: 'b', currentReplicas: 1, readyReplicas: 1 },
      },
    ],
    ['daemonsets', { spec: { selector: SELECTOR, template: TEMPLATE }, status: { desiredNumberScheduled: 3, numberReady: 2, numberUnavailable: 1 } }],
    ['jobs', { spec: JOB, status: { active: 1, succeeded: 2, failed: 3, startTime: 't', completionTime: 't', conditions: [CONDITION] } }],
    [
      'cronjobs',
      {
        spec: { schedule: '* * * * *', suspend: false, concurrencyPolicy: 'Forbid', jobTemplate: { spec: JOB } },
        status: { active: [{ name: 'j', uid: 'u' }], lastScheduleTime: 't' },
      },
    ],
    [
      'horizontalpodautoscalers',
      {
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 5 },
        status: { currentReplicas: 1, desiredReplicas: 5, lastScaleTime: 't', conditions: [CONDITION] },
      },
    ],
    ['configmaps', {}, { data: { a: 'b' } }],
    ['secrets', {}, { data: { a: 'b' }, type: 'Opaque' }],
    ['serviceaccounts', {}, { secrets: [{ name: 's' }] }],
  ];
  for (const [resource, kept, raw = kept] of cases) test(resource, () => assert.deepEqual(body(resource, raw), kept));

  test('no kind is missing here', () => assert.deepEqual(new Set([...cases.map(([resource]) => resource), 'pods', 'events']), new Set(RESOURCES)));

  for (const [resource, kept, raw = kept] of cases) {
    test(`${resource}: fields beside the list do not show, wrong types cost their field alone`, () => {
      assert.deepEqual(body(resource, addUnknown(raw)), kept);
      for (const value of [null, 5, 'x', [], { a: 1 }]) assert.ok(projectObject(resource, { metadata: METADATA, spec: value, status: value }).ok);
    });
  }

  test('names are all that is kept of configmaps, secrets and serviceaccounts', () => {
    const metadata = { ...METADATA, namespace: 'shop', labels: { a: 'b' }, ownerReferences: [{ kind: 'K', name: 'n', uid: 'u' }] };
    for (const resource of ['configmaps', 'secrets', 'serviceaccounts'] as const) {
      assert.deepEqual(project(resource, { metadata }).metadata, { ...KEPT_METADATA, namespace: 'shop' });
    }
  });
});

/** Adds a field that no kind has to every object of a fixed shape. Maps and pod specs are open, so they are left alone. */
function addUnknown(value: unknown): Record<string, unknown> {
  const OPEN = new Set([
    'matchLabels',
    'hard',
    'used',
    'capacity',
    'allocatable',
    'requests',
    'default',
    'defaultRequest',
    'max',
    'min',
    'template',
    'podFailurePolicy',
    'resources',
    'labels',
  ]);
  const add = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(add);
    if (typeof item !== 'object' || item === null) return item;
    return { zzUnknown: { zz: 1 }, ...Object.fromEntries(Object.entries(item).map(([key, field]) => [key, OPEN.has(key) ? field : add(field)])) };
  };
  return add(value) as Record<string, unknown>;
}

describe('a projection', () => {
  for (const resource of RESOURCES.filter((name) => name !== 'events')) {
    test(`of ${resource} projects to itself, so that what was recorded can be replayed`, () => {
      const once = project(resource, SECRET_OBJECTS[resource]);
      assert.deepEqual(project(resource, once), once);
    });
  }

  test('of every recorded object but Events projects to itself', () => {
    for (const { resource, object } of recordedObjects('fleet/batch-3.ndjson.gz')) {
      if (resource === 'events') continue;
      const once = project(resource, object);
      assert.deepEqual(project(resource, once), once);
    }
  });

  test('shares nothing with what was parsed', () => {
    for (const resource of RESOURCES) {
      const raw = structuredClone(SECRET_OBJECTS[resource]);
      const kept = project(resource, raw);
      const before = JSON.stringify(kept);
      overwrite(raw);
      assert.equal(JSON.stringify(kept), before, resource);
    }
  });
});

/** Empties every object and list in place. */
function overwrite(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const item of Object.values(value)) overwrite(item);
  if (Array.isArray(value)) value.length = 0;
  else for (const key of Object.keys(value)) delete (value as Record<string, unknown>)[key];
}

describe('planted secrets', () => {
  for (const resource of RESOURCES) {
    test(`do not get past the projection of ${resource}`, () => {
      const raw = SECRET_OBJECTS[resource];
      assert.ok(JSON.stringify(raw).includes(CANARY));
      const json = JSON.stringify(project(resource, raw));
      assert.ok(!json.includes(CANARY), json.slice(Math.max(0, json.indexOf(CANARY) - 80)));
    });
  }
});

describe('a clean object', () => {
  for (const resource of RESOURCES) {
    test(`of ${resource} holds no env value, foreign annotation or managedFields, and projects as before`, () => {
      const raw = SECRET_OBJECTS[resource];
      const clean = cleanObject(resource, raw);
      for (const word of ['last-applied', 'managedFields', 'example.com/note', `"value":"${CANARY}`]) assert.ok(!JSON.stringify(clean).includes(word), word);
      assert.deepEqual(projectObject(resource, clean), projectObject(resource, raw));
    });
  }

  test('has lost its data and parameters', () => {
    for (const resource of ['configmaps', 'secrets', 'serviceaccounts', 'storageclasses'] as const) {
      const { metadata, ...rest } = cleanObject(resource, SECRET_OBJECTS[resource]) as Record<string, unknown>;
      assert.ok(!/"(data|stringData|parameters|secrets)"/.test(JSON.stringify(rest)), resource);
    }
  });

  test('of every recorded object projects as the object', () => {
    for (const { resource, object } of recordedObjects('fleet/batch-2.ndjson.gz')) {
      assert.deepEqual(projectObject(resource, cleanObject(resource, object)), projectObject(resource, object));
    }
  });

  test('is null where nothing can be read', () => {
    assert.equal(cleanObject('pods', 'x'), null);
    assert.equal(cleanObject('pods', { spec: { deep: JSON.parse('['.repeat(500) + ']'.repeat(500)) } }), null);
  });
});
