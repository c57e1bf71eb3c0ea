/** Effective requests: the tables of k8s.io/component-helpers resource/helpers_test.go, retold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod } from '../../../collector/objects.ts';
import { podRequest } from '../../../processor/capacity/pod-request.ts';
import { limitTotals } from '../../../processor/capacity/resource-totals.ts';
import { pod } from '../../helpers/capacity.ts';

const MI = 1_024 ** 2;

function container(name: string, cpu: string, memory: string, more: Partial<Container> = {}): Container {
  return { name, resources: { requests: { cpu, memory } }, ...more };
}
function podOf(spec: Partial<Pod['spec']>, status: Pod['status'] = {}): Pod {
  return pod('p', {}, { spec: { containers: [container('a', '100m', '100Mi')], ...spec }, status });
}
const sidecar = { restartPolicy: 'Always' };

const cases: readonly { readonly name: string; readonly pod: Pod; readonly cpu: number; readonly memory: number }[] = [
  { name: 'containers add up', pod: podOf({ containers: [container('a', '100m', '100Mi'), container('b', '1', '1Gi')] }), cpu: 1_100, memory: 1_124 * MI },
  {
    name: 'the largest init container counts if it is above the sum',
    pod: podOf({ initContainers: [container('i', '500m', '10Mi'), container('j', '300m', '400Mi')] }),
    cpu: 500,
    memory: 400 * MI,
  },
  { name: 'sidecars add to the containers', pod: podOf({ initContainers: [container('s', '200m', '50Mi', sidecar)] }), cpu: 300, memory: 150 * MI },
  {
    name: 'an init container needs the sidecars started before it, not those after',
    pod: podOf({ initContainers: [container('s', '200m', '50Mi', sidecar), container('i', '300m', '60Mi'), container('t', '10m', '10Mi', sidecar)] }),
    cpu: 500,
    memory: 160 * MI,
  },
  { name: 'overhead comes on top', pod: podOf({ overhead: { cpu: '50m', memory: '20Mi' } }), cpu: 150, memory: 120 * MI },
  {
    name: 'pod-level requests replace the aggregate of the resources they name',
    pod: podOf({ resources: { requests: { cpu: '2' } }, overhead: { cpu: '100m' } }),
    cpu: 2_100,
    memory: 100 * MI,
  },
  { name: 'a pod-level limit leaves the aggregate', pod: podOf({ resources: { limits: { cpu: '2' } } }), cpu: 100, memory: 100 * MI },
  {
    name: 'a pod-level limit is the request where no container has one',
    pod: podOf({ containers: [{ name: 'a' }], resources: { limits: { cpu: '2', memory: '1Gi' } } }),
    cpu: 2_000,
    memory: 1_024 * MI,
  },
  {
    name: 'in-place resize: the largest of spec, status and allocated',
    pod: podOf(
      {},
      { containerStatuses: [{ name: 'a', resources: { requests: { cpu: '300m', memory: '50Mi' } }, allocatedResources: { cpu: '200m', memory: '120Mi' } }] },
    ),
    cpu: 300,
    memory: 120 * MI,
  },
  {
    name: 'an infeasible resize leaves the spec out',
    pod: podOf(
      { containers: [container('a', '8', '100Mi')] },
      {
        conditions: [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }],
        containerStatuses: [{ name: 'a', resources: { requests: { cpu: '300m', memory: '50Mi' } } }],
      },
    ),
    cpu: 300,
    memory: 50 * MI,
  },
  {
    name: 'the status of an ordinary init container does not count',
    pod: podOf({ initContainers: [container('i', '50m', '1Mi')] }, { initContainerStatuses: [{ name: 'i', resources: { requests: { cpu: '4' } } }] }),
    cpu: 100,
    memory: 100 * MI,
  },
  {
    name: 'fractions are summed before they are rounded up',
    pod: podOf({ containers: [container('a', '0.5m', '0.5'), container('b', '0.5m', '0.5')] }),
    cpu: 1,
    memory: 1,
  },
];

for (const { name, pod: each, cpu, memory } of cases) {
  test(name, () => {
    const { amounts, problems } = podRequest(each);
    assert.deepEqual([amounts.cpu, amounts.memory, amounts.pods, problems.length], [cpu, memory, 1, 0]);
  });
}

test('extended resources and huge pages count, unknown native ones do not', () => {
  const { amounts } = podRequest(pod('p', { 'example.com/gpu': '2', 'hugepages-2Mi': '64Mi', storage: '1Gi', 'ephemeral-storage': '1Gi' }));
  assert.deepEqual(
    [...(amounts.scalars ?? [])],
    [
      ['example.com/gpu', 2],
      ['hugepages-2Mi', 64 * MI],
    ],
  );
  assert.equal(amounts.ephemeralStorage, 1_024 * MI);
});

test('containers that request nothing are scored with 100m and 200Mi, and filtered with nothing', () => {
  const request = podRequest(pod('p', { memory: '1Gi' }));
  assert.deepEqual([request.amounts.cpu, request.scoredCpu, request.scoredMemory], [0, 100, 1_024 * MI]);
});

test('a bad quantity counts 0 and is reported with its path', () => {
  const { amounts, problems } = podRequest(pod('p', { cpu: '1 core', memory: '-1Gi' }));
  assert.deepEqual([amounts.cpu, amounts.memory], [0, 0]);
  assert.deepEqual(
    problems.map(({ path, value }) => [path, value]),
    [
      ['spec.containers[0].resources.requests.cpu', '1 core'],
      ['spec.containers[0].resources.requests.memory', '-1Gi'],
    ],
  );
});

test('limits: overhead is added to what is limited only', () => {
  const limited = podOf({ containers: [{ name: 'a', resources: { limits: { cpu: '1' } } }], overhead: { cpu: '100m', memory: '1Gi' } });
  assert.deepEqual([...limitTotals(limited)], [['cpu', 1_100_000_000n]]);
});

for (const [name, spec] of [
  ['containers are a map', { containers: {} }],
  ['a container is null', { containers: [null, { name: 'a', resources: { requests: { cpu: '1' } } }] }],
  ['requests are a list', { containers: [{ name: 'a', resources: { requests: ['cpu'] } }] }],
  ['resources are text', { containers: [{ name: 'a', resources: 'much' }] }],
  ['init containers are a number', { containers: [], initContainers: 3 }],
] as const) {
  test(`never throws when ${name}`, () => {
    assert.equal(podRequest({ ...podOf({}), spec: spec as unknown as Pod['spec'] }).amounts.pods, 1);
  });
}
