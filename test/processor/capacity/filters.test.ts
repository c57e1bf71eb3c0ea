/** What the recordings have little of: taints in detail, host addresses, volumes, nominated pods. Reasons are the scheduler's texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ProjectedObject } from '../../../collector/objects.ts';
import { createCycle, failuresOn } from '../../../processor/capacity/filters.ts';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import type { TestCluster } from '../../helpers/capacity.ts';
import { node, object, pod, stateOf } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };

/** Reasons per node; a node that fits is ''. */
function judge(incoming: Pod, cluster: TestCluster): Readonly<Record<string, string>> {
  const state = stateOf(cluster);
  const cycle = createCycle(podFacts(incoming), state);
  return Object.fromEntries(
    state.nodes.map((each) => [
      each.name,
      failuresOn(cycle, each)
        .map(({ reason }) => reason)
        .join('; '),
    ]),
  );
}

const TAINTED = 'node(s) had untolerated taint(s)';
for (const [name, taint, toleration, fits] of [
  ['no toleration', { key: 'a', value: 'x', effect: 'NoSchedule' }, undefined, false],
  ['the same key, value and effect', { key: 'a', value: 'x', effect: 'NoSchedule' }, { key: 'a', value: 'x', effect: 'NoSchedule' }, true],
  ['another value', { key: 'a', value: 'x', effect: 'NoSchedule' }, { key: 'a', value: 'y' }, false],
  ['Exists on the key', { key: 'a', value: 'x', effect: 'NoExecute' }, { key: 'a', operator: 'Exists' }, true],
  ['Exists without a key', { key: 'a', effect: 'NoSchedule' }, { operator: 'Exists' }, true],
  ['Exists for another effect', { key: 'a', effect: 'NoSchedule' }, { operator: 'Exists', effect: 'NoExecute' }, false],
  ['a taint that is only preferred', { key: 'a', effect: 'PreferNoSchedule' }, undefined, true],
  ['an operator nobody knows', { key: 'a', effect: 'NoSchedule' }, { key: 'a', operator: 'Matches' }, false],
] as const) {
  test(`taints: ${name}`, () => {
    const incoming = pod('p', {}, { spec: { tolerations: toleration === undefined ? [] : [toleration] } });
    assert.equal(judge(incoming, { nodes: [node('n', SIZE, { spec: { taints: [taint] } })] })['n'], fits ? '' : TAINTED);
  });
}

test('a cordoned node takes only what tolerates the cordon', () => {
  const nodes = [node('n', SIZE, { spec: { unschedulable: true } })];
  assert.equal(judge(pod('p', {}), { nodes })['n'], 'node(s) were unschedulable');
  const tolerant = pod('p', {}, { spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] } });
  assert.equal(judge(tolerant, { nodes })['n'], '');
});

test('all failing plugins are given, in the order of the scheduler', () => {
  const incoming = pod('p', { cpu: '8', memory: '9Gi' }, { spec: { nodeSelector: { disk: 'ssd' } } });
  const nodes = [node('n', { ...SIZE, pods: '0' }, { spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] } })];
  assert.equal(
    judge(incoming, { nodes })['n'],
    `node(s) were unschedulable; ${TAINTED}; node(s) didn't match Pod's node affinity/selector; Too many pods; Insufficient cpu; Insufficient memory`,
  );
});

function withPort(hostIP: string | undefined, protocol = 'TCP'): Pod['spec'] {
  return { containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 8_080, hostIP, protocol }] }] };
}
for (const [name, taken, wanted, fits] of [
  ['the same port', withPort(undefined), withPort(undefined), false],
  ['another address', withPort('10.0.0.1'), withPort('10.0.0.2'), true],
  ['all addresses against one', withPort('10.0.0.1'), withPort('0.0.0.0'), false],
  ['one address against all', withPort(undefined), withPort('10.0.0.1'), false],
  ['another protocol', withPort(undefined), withPort(undefined, 'UDP'), true],
] as const) {
  test(`host ports: ${name}`, () => {
    const reasons = judge(pod('p', {}, { spec: wanted }), { nodes: [node('n', SIZE)], pods: [pod('q', {}, { on: 'n', spec: { ...taken, nodeName: 'n' } })] });
    assert.equal(reasons['n'], fits ? '' : "node(s) didn't have free ports for the requested pod ports");
  });
}

test('a pod nominated to a node counts there for pods of its priority or lower, not for higher ones', () => {
  const waiting = pod('w', { cpu: '4' }, { spec: { priority: 10 }, status: { phase: 'Pending', nominatedNodeName: 'n' } });
  const cluster = { nodes: [node('n', SIZE)], pods: [waiting] };
  assert.equal(judge(pod('p', { cpu: '1' }, { spec: { priority: 10 } }), cluster)['n'], 'Insufficient cpu');
  assert.equal(judge(pod('p', { cpu: '1' }, { spec: { priority: 11 } }), cluster)['n'], '');
  assert.equal(judge(waiting, cluster)['n'], '', 'not against itself');
});

test('terminated pods hold nothing, terminating ones hold everything', () => {
  const nodes = [node('n', SIZE)];
  const full = pod('q', { cpu: '4' }, { on: 'n', status: { phase: 'Succeeded' } });
  assert.equal(judge(pod('p', { cpu: '4' }), { nodes, pods: [full] })['n'], '');
  assert.equal(judge(pod('p', { cpu: '4' }), { nodes, pods: [pod('q', { cpu: '4' }, { on: 'n', deleted: true })] })['n'], 'Insufficient cpu');
});

const zones = [node('a', SIZE, { labels: { 'topology.kubernetes.io/zone': 'a' } }), node('b', SIZE, { labels: { 'topology.kubernetes.io/zone': 'b' } })];
const user = pod('p', {}, { spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] } });

function claim(spec: Readonly<Record<string, unknown>>, status: Readonly<Record<string, unknown>> = { phase: 'Bound' }): ProjectedObject {
  return object('PersistentVolumeClaim', 'data', { spec, status }, 'shop');
}
function inZone(zone: string): Readonly<Record<string, unknown>> {
  const terms = [{ matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: [zone] }] }];
  return { spec: { csi: { driver: 'disk.example', volumeHandle: 'h1' }, nodeAffinity: { required: { nodeSelectorTerms: terms } } } };
}

const volumeCases: readonly {
  readonly name: string;
  readonly objects: TestCluster['objects'];
  readonly a: string;
  readonly b: string;
  readonly pods?: readonly Pod[];
}[] = [
  { name: 'no such claim', objects: {}, a: 'persistentvolumeclaim "data" not found', b: 'persistentvolumeclaim "data" not found' },
  {
    name: 'a volume of zone a',
    objects: { persistentvolumeclaims: [claim({ volumeName: 'pv' })], persistentvolumes: [object('PersistentVolume', 'pv', inZone('a'))] },
    a: '',
    b: "node(s) didn't match PersistentVolume's node affinity",
  },
  {
    name: 'a volume whose label names zones a and c',
    objects: {
      persistentvolumeclaims: [claim({ volumeName: 'pv' })],
      persistentvolumes: [
        {
          ...object('PersistentVolume', 'pv', { spec: {} }),
          metadata: { name: 'pv', namespace: '', uid: 'pv', resourceVersion: '1', labels: { 'topology.kubernetes.io/zone': 'a__c' } },
        },
      ],
    },
    a: '',
    b: 'node(s) had no available volume zone',
  },
  {
    name: 'a lost volume',
    objects: { persistentvolumeclaims: [claim({ volumeName: 'gone' })] },
    a: 'persistentvolume "gone" not found',
    b: 'persistentvolume "gone" not found',
  },
  {
    name: 'an unbound claim of an immediate class',
    objects: {
      persistentvolumeclaims: [claim({ storageClassName: 'fast' }, { phase: 'Pending' })],
      storageclasses: [object('StorageClass', 'fast', { provisioner: 'disk.example', volumeBindingMode: 'Immediate' })],
    },
    a: 'pod has unbound immediate PersistentVolumeClaims',
    b: 'pod has unbound immediate PersistentVolumeClaims',
  },
  {
    name: 'a class that provisions in zone b only',
    objects: {
      persistentvolumeclaims: [claim({ storageClassName: 'fast' }, { phase: 'Pending' })],
      storageclasses: [
        object('StorageClass', 'fast', {
          provisioner: 'disk.example',
          volumeBindingMode: 'WaitForFirstConsumer',
          allowedTopologies: [{ matchLabelExpressions: [{ key: 'topology.kubernetes.io/zone', values: ['b'] }] }],
        }),
      ],
    },
    a: "node(s) didn't find available persistent volumes to bind",
    b: '',
  },
  {
    name: 'a static volume that is free in zone a',
    objects: {
      persistentvolumeclaims: [
        claim({ storageClassName: 'local', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }, { phase: 'Pending' }),
      ],
      storageclasses: [object('StorageClass', 'local', { provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'WaitForFirstConsumer' })],
      persistentvolumes: [
        object('PersistentVolume', 'pv', {
          spec: { ...(inZone('a')['spec'] as object), storageClassName: 'local', capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'] },
          status: { phase: 'Available' },
        }),
      ],
    },
    a: '',
    b: "node(s) didn't find available persistent volumes to bind",
  },
  {
    name: 'a ReadWriteOncePod claim that another pod uses',
    objects: {
      persistentvolumeclaims: [claim({ volumeName: 'pv', accessModes: ['ReadWriteOncePod'] })],
      persistentvolumes: [object('PersistentVolume', 'pv', { spec: {} })],
    },
    pods: [pod('q', {}, { on: 'a', spec: { volumes: user.spec.volumes } })],
    a: 'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
    b: 'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  },
  {
    name: 'a node whose driver has no volume to spare',
    objects: {
      persistentvolumeclaims: [
        claim({ volumeName: 'pv' }),
        object('PersistentVolumeClaim', 'other', { spec: { volumeName: 'pv2' }, status: { phase: 'Bound' } }, 'shop'),
      ],
      persistentvolumes: [
        object('PersistentVolume', 'pv', { spec: { csi: { driver: 'disk.example', volumeHandle: 'h1' } } }),
        object('PersistentVolume', 'pv2', { spec: { csi: { driver: 'disk.example', volumeHandle: 'h2' } } }),
      ],
      csinodes: [object('CSINode', 'a', { spec: { drivers: [{ name: 'disk.example', allocatable: { count: 1 } }] } })],
    },
    pods: [pod('q', {}, { on: 'a', spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'other' } }] } })],
    a: 'node(s) exceed max volume count',
    b: '',
  },
];
for (const { name, objects, a, b, pods } of volumeCases) {
  test(`volumes: ${name}`, () => assert.deepEqual(judge(user, { nodes: zones, objects, pods }), { a, b }));
}

test('nothing is concluded from claims that podtrail does not see', () => {
  assert.deepEqual(judge(user, { nodes: zones, blind: ['persistentvolumeclaims'] }), { a: '', b: '' });
});
