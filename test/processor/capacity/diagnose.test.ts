import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from '../../../processor/capacity/diagnose.ts';
import type { PodOptions } from '../../helpers/capacity.ts';
import { clusterOf, node, pod } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };
const daemon: PodOptions = { owner: 'DaemonSet' };

test('fragmented: space for two in all, for none on any node, though an empty node could hold it', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const pods = nodes.map(({ metadata: { name } }) => pod(`p-${name}`, { cpu: '2' }, { on: name }));
  const { fit } = diagnose(pod('x', { cpu: '3' }), clusterOf({ nodes, pods }));
  assert.deepEqual([fit.k, fit.kStar, fit.phi, fit.bindingResource, fit.couldHold, fit.tooBig], [0, 1, 1, 'cpu', true, false]);
});

test('too big: DaemonSets leave less on every node than the pod needs', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const pods = nodes.map(({ metadata: { name } }) => pod(`ds-${name}`, { cpu: '500m' }, { ...daemon, on: name }));
  const big = diagnose(pod('x', { cpu: '3600m' }), clusterOf({ nodes, pods })).fit;
  assert.deepEqual([big.tooBig, big.couldHold, big.eligible], [true, false, 2]);
  const fitting = diagnose(pod('x', { cpu: '3500m' }), clusterOf({ nodes, pods })).fit;
  assert.deepEqual([fitting.tooBig, fitting.couldHold, fitting.k], [false, true, 2]);
});

test('not too big where no node is eligible: something else is wrong', () => {
  const { fit } = diagnose(pod('x', { cpu: '100' }, { spec: { nodeSelector: { disk: 'ssd' } } }), clusterOf({ nodes: [node('a', SIZE)] }));
  assert.deepEqual([fit.eligible, fit.tooBig, fit.couldHold, fit.kStar, fit.phi, fit.bindingResource], [0, false, false, 0, 0, '']);
});

for (const [name, more] of [
  ['cordoned', { spec: { unschedulable: true } }],
  ['not ready', { ready: 'False' }],
  ['of unknown state', { ready: 'Unknown' }],
  ['tainted by the node lifecycle', { spec: { taints: [{ key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' }] } }],
  ['about to be removed', { spec: { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }] } }],
  ['virtual', { labels: { type: 'virtual-kubelet' } }],
] as const) {
  test(`a node that is ${name} is judged but does not count`, () => {
    const tolerant = pod('x', { cpu: '1' }, { spec: { tolerations: [{ operator: 'Exists' }] } });
    const { nodes, fit } = diagnose(tolerant, clusterOf({ nodes: [node('a', SIZE), node('b', SIZE, more)] }));
    assert.deepEqual([nodes.length, nodes[1]?.failures.length, fit.eligible, fit.k], [2, 0, 1, 4]);
  });
}

for (const [name, options, nodes, k] of [
  ['host ports allow one a node', { containers: [{ name: 'a', resources: { requests: { cpu: '1' } }, ports: [{ hostPort: 80, containerPort: 80 }] }] }, 3, 3],
  ['anti-affinity to itself by host allows one a node', { affinity: { podAntiAffinity: terms('kubernetes.io/hostname') } }, 3, 3],
  ['anti-affinity to itself by zone allows one a zone', { affinity: { podAntiAffinity: terms('zone') } }, 4, 2],
  ['affinity to itself by zone allows the roomiest zone only', { affinity: { podAffinity: terms('zone') } }, 3, 8],
  ['an even spread over zones stops where the smaller zone is full', { topologySpreadConstraints: [spread(1)] }, 3, 9],
  ['a skew of two lets the larger zone go one further', { topologySpreadConstraints: [spread(2)] }, 3, 10],
  [
    'spread and anti-affinity together are played through',
    { topologySpreadConstraints: [spread(1)], affinity: { podAntiAffinity: terms('kubernetes.io/hostname') } },
    4,
    4,
  ],
] as const) {
  test(`K: ${name}`, () => {
    const all = Array.from({ length: nodes }, (_, index) => node(`n${index}`, SIZE, { labels: { zone: index % 2 === 0 ? 'a' : 'b' } }));
    const incoming = pod('x', { cpu: '1' }, { labels: { app: 'x' }, spec: options });
    const { fit } = diagnose(incoming, clusterOf({ nodes: all }));
    assert.equal(fit.k, k);
    assert.ok(fit.kStar >= fit.k);
  });
}

function terms(topologyKey: string) {
  return { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app: 'x' } } }] };
}
function spread(maxSkew: number) {
  return { maxSkew, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'x' } } };
}

test('the binding resource is the one that limits most nodes', () => {
  const nodes = [node('a', { cpu: '1', memory: '64Gi' }), node('b', { cpu: '64', memory: '1Gi' }), node('c', { cpu: '64', memory: '1Gi' })];
  assert.equal(diagnose(pod('x', { cpu: '2', memory: '4Gi' }), clusterOf({ nodes })).fit.bindingResource, 'memory');
  const full = [node('a', { ...SIZE, pods: '0' })];
  assert.equal(diagnose(pod('x', { cpu: '1' }), clusterOf({ nodes: full })).fit.bindingResource, 'pods');
});

test('the cluster and the pod are left as they were', () => {
  const cluster = clusterOf({ nodes: [node('a', SIZE)], pods: [pod('w', { cpu: '1' }, { status: { phase: 'Pending', nominatedNodeName: 'a' } })] });
  const incoming = pod('x', { cpu: '2' }, { labels: { app: 'x' }, spec: { topologySpreadConstraints: [spread(1)] } });
  assert.deepEqual(diagnose(incoming, cluster), diagnose(incoming, cluster));
});
