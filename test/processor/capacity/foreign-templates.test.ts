import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readManifests } from '../../../processor/capacity/manifest.ts';
import { runPrecheck } from '../../../processor/capacity/precheck.ts';
import type { TestCluster } from '../../helpers/capacity.ts';
import { clusterOf, node, object, pod } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };
const nodes = [node('a', SIZE), node('b', SIZE)];
type Fields = Readonly<Record<string, unknown>>;

const template = (cpu = '1', more: Fields = {}): Fields => ({
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: 'registry.example/c:1', resources: { requests: { cpu } } }], ...more },
});
const custom = (apiVersion: string, kind: string, spec: Fields): Fields => ({ apiVersion, kind, metadata: { name: 'x', namespace: 'shop' }, spec });
const planned = (documents: readonly unknown[], cluster: TestCluster = { nodes }) =>
  runPrecheck(readManifests(documents), clusterOf(cluster)).workloads.map(({ kind, name, replicas, placed }) => [kind, name, replicas, placed]);

for (const [name, manifest, expected] of [
  ['an Argo Rollout', custom('argoproj.io/v1alpha1', 'Rollout', { replicas: 3, template: template() }), [['Rollout', 'x', 3, 3]]],
  ['a CloneSet', custom('apps.kruise.io/v1alpha1', 'CloneSet', { replicas: 2, template: template() }), [['CloneSet', 'x', 2, 2]]],
  [
    'a DeploymentConfig',
    custom('apps.openshift.io/v1', 'DeploymentConfig', { replicas: 9, selector: { app: 'x' }, template: template() }),
    [['DeploymentConfig', 'x', 9, 8]],
  ],
  [
    'a Knative Service, whose replicas nobody names',
    custom('serving.knative.dev/v1', 'Service', { template: template('1', { containerConcurrency: 5 }) }),
    [['Service', 'x', 1, 1]],
  ],
  [
    'a Volcano Job, by its tasks',
    custom('batch.volcano.sh/v1alpha1', 'Job', {
      tasks: [
        { name: 'ps', replicas: 1, template: template() },
        { name: 'worker', replicas: 2, template: template('2') },
      ],
    }),
    [
      ['Job', 'x/ps', 1, 1],
      ['Job', 'x/worker', 2, 2],
    ],
  ],
  [
    'a PyTorchJob, by its roles',
    custom('kubeflow.org/v1', 'PyTorchJob', {
      pytorchReplicaSpecs: { Master: { replicas: 1, template: template() }, Worker: { replicas: 3, template: template('2') } },
    }),
    [
      ['PyTorchJob', 'x/Master', 1, 1],
      ['PyTorchJob', 'x/Worker', 3, 3],
    ],
  ],
  [
    'a RayCluster, by its groups',
    custom('ray.io/v1', 'RayCluster', { headGroupSpec: { template: template() }, workerGroupSpecs: [{ groupName: 'gpu', replicas: 2, template: template() }] }),
    [
      ['RayCluster', 'x/headGroupSpec', 1, 1],
      ['RayCluster', 'x/gpu', 2, 2],
    ],
  ],
  [
    'a JobSet: replicas of Jobs of several pods',
    custom('jobset.x-k8s.io/v1alpha2', 'JobSet', {
      replicatedJobs: [{ name: 'w', replicas: 2, template: { spec: { parallelism: 3, completions: 2, template: template() } } }],
    }),
    [['JobSet', 'x/w', 4, 4]],
  ],
  [
    'a LeaderWorkerSet: groups of a leader and workers',
    custom('leaderworkerset.x-k8s.io/v1', 'LeaderWorkerSet', {
      replicas: 2,
      leaderWorkerTemplate: { size: 3, leaderTemplate: template(), workerTemplate: template() },
    }),
    [
      ['LeaderWorkerSet', 'x/leaderTemplate', 2, 2],
      ['LeaderWorkerSet', 'x/workerTemplate', 4, 4],
    ],
  ],
  [
    'a policy, which only looks like one',
    custom('kyverno.io/v1', 'ClusterPolicy', { rules: [{ validate: { pattern: { spec: { template: template() } } } }] }),
    [],
  ],
  ['a kind without a pod template', custom('example.com/v1', 'Queue', { template: { spec: { size: 3 } } }), []],
] as const) {
  test(`pod templates of ${name}`, () => assert.deepEqual(planned([manifest]), expected));
}

const rollout = (spec: Fields): Fields => custom('argoproj.io/v1alpha1', 'Rollout', spec);
const referring = rollout({ replicas: 2, workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'base' } });
const base = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'base', namespace: 'shop' },
  spec: { replicas: 0, selector: { matchLabels: { app: 'x' } }, template: template('3') },
};

test('a Rollout takes its template from a Deployment of the manifests, else of the cluster', () => {
  assert.deepEqual(planned([referring, base])[0], ['Rollout', 'x', 2, 2]);
  const stored = object('Deployment', 'base', { spec: base.spec }, 'shop');
  assert.deepEqual(planned([referring], { nodes, objects: { deployments: [stored] } }), [['Rollout', 'x', 2, 2]]);
});

test('where nobody knows that template nothing is claimed', () => {
  const { status, workloads } = runPrecheck(readManifests([referring]), clusterOf({ nodes }));
  assert.deepEqual([status, workloads[0]?.placed, workloads[0]?.replicas], ['unknown', 0, 2]);
  assert.match(workloads[0]?.checks[0]?.reason ?? '', /the template of Deployment shop\/base, which is neither in the manifests nor in the cluster/);
});

for (const [name, strategy, placed] of [
  ['the new pods of a blue-green update stand beside the old ones', { blueGreen: {} }, 0],
  ['those of a canary replace them within maxUnavailable', { canary: { maxSurge: 0, maxUnavailable: 1 } }, 2],
] as const) {
  test(`an update of a Rollout: ${name}`, () => {
    const owner = object('ReplicaSet', 'owner', {}, 'shop');
    const replicaSet = { ...owner, metadata: { ...owner.metadata, ownerReferences: [{ kind: 'Rollout', name: 'x', uid: 'r', controller: true }] } };
    const pods = ['a', 'b'].map((on) => pod(`old-${on}`, { cpu: '3' }, { on }));
    const manifest = rollout({ replicas: 2, strategy, template: template('3') });
    const [first] = runPrecheck(readManifests([manifest]), clusterOf({ nodes, pods, objects: { replicasets: [replicaSet] } })).workloads;
    assert.deepEqual([first?.update, first?.placed], [true, placed]);
  });
}

test('what is wrong within the template is named, and what only the kind can know is let be', () => {
  const bad = template('1x', { restartPolicyy: 'Always', containerConcurrency: 1 });
  const { problems } = readManifests([rollout({ template: bad })]);
  assert.deepEqual(
    problems.map(({ path, message }) => [path.join('.'), message]),
    [['spec.template.spec.containers.0.resources.requests.cpu', '"1x" is not a quantity such as 500m, 1.5 or 2Gi']],
  );
});
