import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawObject } from '../../helpers/driver.ts';
import type { IncidentJson } from '../../../processor/replay.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

/** What the incident blames. */
const blamed = (incident: IncidentJson | undefined) => incident?.suspectedChange as { kind: string; text: string; by?: string } | undefined;

const object = (kind: string, name: string, more: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): RawObject => ({
  kind,
  apiVersion: kind === 'Node' ? 'v1' : kind.endsWith('Job') ? 'batch/v1' : 'apps/v1',
  metadata: { name, uid: `uid-${name}`, ...(kind !== 'Node' && { namespace: 'shop' }), creationTimestamp: '2026-01-15T10:00:00Z', ...metadata },
  ...more,
});
const owned = (kind: string, name: string) => ({ ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true }] });
const node = (name: string, spec: Record<string, unknown> = {}) =>
  object('Node', name, {
    spec,
    status: { allocatable: { cpu: '1', memory: '1Gi', pods: '9' }, conditions: [{ type: 'Ready', status: 'True' }] },
  });
const template = (memory: string) => ({ spec: { containers: [{ name: 'app', image: 'a:1', resources: { limits: { memory } } }] } });
const ended = (reason: string, finished: string, restartCount = 3) => {
  const terminated = { exitCode: 137, reason, startedAt: finished, finishedAt: finished };
  return containerStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated }, restartCount });
};

test('a memory limit that was lowered is found from the revisions when no older pod is left', () => {
  const driver = createDriver();
  const web = (memory: string) => object('Deployment', 'web', { spec: { replicas: 1, template: template(memory) }, status: {} });
  const set = (name: string, memory: string, seconds: number) =>
    object('ReplicaSet', name, { spec: { template: template(memory) }, status: {} }, { ...owned('Deployment', 'web'), creationTimestamp: driver.at(seconds) });
  driver.begin({ nodes: [node('n1')], deployments: [web('256Mi')], replicasets: [set('web-1', '256Mi', -9_000)], pods: [], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'deployments', web('20Mi'));
  driver.change('ADDED', 'replicasets', set('web-2', '20Mi', 30));
  const spec = { containers: [{ name: 'app', image: 'a:1', resources: { limits: { memory: '20Mi' } } }] };
  driver.change(
    'ADDED',
    'pods',
    rawPod('web-2-x', ended('OOMKilled', driver.at(35)), spec, { ...owned('ReplicaSet', 'web-2'), creationTimestamp: driver.at(31) }),
  );
  driver.advance(10);
  const [incident, ...others] = driver.replay.incidents();
  assert.equal(others.length, 0);
  assert.deepEqual([incident?.cause, incident?.detail], ['container_limit', 'limit_lowered']);
  assert.match(blamed(incident)?.text ?? '', /resources\.limits\.memory 256Mi → 20Mi/);
  assert.ok((incident?.evidence as { value: string }[] | undefined)?.some(({ value }) => value === '256Mi → 20Mi'));
});

test('a scale-out is found from spec.replicas, without any Event, and says by whom', () => {
  const driver = createDriver();
  const db = (replicas: number) => object('StatefulSet', 'db', { spec: { replicas, template: template('1Gi') }, status: {} });
  const hpa = object('HorizontalPodAutoscaler', 'db', {
    spec: { scaleTargetRef: { kind: 'StatefulSet', name: 'db' }, minReplicas: 1, maxReplicas: 5 },
    status: { desiredReplicas: 3 },
  });
  const older = rawPod(
    'db-0',
    { ...containerStatus({ running: { startedAt: '2026-01-15T10:00:09Z' } }), conditions: [{ type: 'Ready', status: 'True' }] },
    {},
    { ...owned('StatefulSet', 'db'), creationTimestamp: '2026-01-15T10:00:00Z' },
  );
  driver.begin({ nodes: [node('n1')], statefulsets: [db(1)], horizontalpodautoscalers: [hpa], pods: [older], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'statefulsets', db(3));
  driver.change('ADDED', 'pods', rawPod('db-1', ended('Error', driver.at(35)), {}, { ...owned('StatefulSet', 'db'), creationTimestamp: driver.at(31) }));
  driver.advance(10);
  const [incident] = driver.replay.incidents();
  assert.deepEqual(incident?.flags, ['after_scale_out']);
  assert.equal(blamed(incident)?.text, 'StatefulSet shop/db was scaled from 1 to 3 by HorizontalPodAutoscaler db');
  assert.equal(blamed(incident)?.by, 'HorizontalPodAutoscaler db');
});

const unschedulable = (at: string, message: string) =>
  rawPod(
    'p',
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: at }] },
    { nodeName: undefined, nodeSelector: { pool: 'a' } },
  );

test('a taint is blamed on the node that has it, not on what happened to another node later', () => {
  const driver = createDriver();
  const labelled = (spec = {}): RawObject => ({ ...node('n1', spec), metadata: { ...node('n1').metadata, labels: { pool: 'a' } } });
  driver.begin({ nodes: [labelled(), node('n2')], pods: [], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'nodes', labelled({ taints: [{ key: 'maint', value: '1', effect: 'NoExecute' }] }));
  driver.advance(10);
  driver.change('DELETED', 'nodes', node('n2'));
  driver.change('ADDED', 'pods', unschedulable(driver.at(40), '0/1 nodes are available: 1 node(s) had untolerated taint(s).'));
  driver.advance(70);
  const incident = driver.replay.incidents().find(({ scenario }) => scenario === 'scheduling_failure');
  assert.equal(incident?.cause, 'untolerated_taint');
  assert.equal(blamed(incident)?.text, 'Node n1 has other taints');
});

test('a cordon stays a cordon when its taint comes later', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('n1')], pods: [], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'nodes', node('n1', { unschedulable: true }));
  driver.change('MODIFIED', 'nodes', node('n1', { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }));
  driver.change('ADDED', 'pods', { ...unschedulable(driver.at(30), '0/1 nodes are available: 1 node(s) were unschedulable.'), spec: { containers: [] } });
  driver.advance(70);
  const [incident] = driver.replay.incidents();
  assert.equal(incident?.cause, 'no_available_node');
  assert.equal(blamed(incident)?.kind, 'node_cordoned');
});

test('pods that outlive their Job belong to its CronJob to the last, and open nothing of their own', () => {
  const driver = createDriver();
  const cron = object('CronJob', 'nightly', { spec: {}, status: {} });
  const job = (n: number) => object('Job', `nightly-${n}`, { spec: {}, status: {} }, owned('CronJob', 'nightly'));
  const run = (n: number) => {
    const terminated = { exitCode: 4, reason: 'Error', startedAt: driver.at(n), finishedAt: driver.at(n + 1) };
    return rawPod(
      `nightly-${n}-x`,
      { phase: 'Failed', ...containerStatus({ terminated }) },
      { restartPolicy: 'Never' },
      { ...owned('Job', `nightly-${n}`), creationTimestamp: driver.at(n) },
    );
  };
  driver.begin({ nodes: [node('n1')], cronjobs: [cron], jobs: [job(0), job(60)], pods: [run(0)], events: [] });
  driver.advance(60);
  driver.change('ADDED', 'pods', run(60));
  driver.change('DELETED', 'jobs', job(0));
  const { metadata, ...rest } = run(0);
  driver.change('MODIFIED', 'pods', { ...rest, metadata: { ...metadata, deletionTimestamp: driver.at(60), deletionGracePeriodSeconds: 0 } });
  driver.change('DELETED', 'pods', { ...rest, metadata: { ...metadata, deletionTimestamp: driver.at(60), deletionGracePeriodSeconds: 0 } });
  driver.advance(30);
  const incidents = driver.replay.incidents();
  assert.deepEqual(
    incidents.map(({ subject, state, pods }) => [subject.kind, subject.name, state, pods.length]),
    [['CronJob', 'nightly', 'open', 2]],
  );
  driver.advance(3_600);
  assert.equal(driver.replay.state('cluster-uid')?.tables.lineage.size, 0, 'forgotten once its pods are gone');
});

test('changes are forgotten after a day, also of what is gone', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('n1'), node('n2')], pods: [], events: [] });
  driver.change('DELETED', 'nodes', node('n2'));
  const kept = (): number | undefined => driver.replay.state('cluster-uid')?.tables.changes.size;
  driver.advance(23 * 3_600);
  assert.equal(kept(), 1);
  driver.advance(2 * 3_600);
  assert.equal(kept(), 0);
});

test('a node that went away is blamed by the pods that could have used it, and a new one by nobody', () => {
  const blamedFor = (selector: Record<string, string>) => {
    const driver = createDriver();
    const big = { ...node('n2'), metadata: { ...node('n2').metadata, labels: { pool: 'a' } } };
    driver.begin({ nodes: [node('n1'), big], pods: [], events: [] });
    driver.advance(30);
    driver.change('DELETED', 'nodes', big);
    driver.change('ADDED', 'nodes', node('n3'));
    const pending = unschedulable(driver.at(30), '0/2 nodes are available: 2 Insufficient cpu.');
    const spec = { nodeSelector: selector, containers: [{ name: 'app', image: 'a:1', resources: { requests: { cpu: '2' } } }] };
    driver.change('ADDED', 'pods', { ...pending, spec });
    driver.advance(70);
    return blamed(driver.replay.incidents()[0])?.kind;
  };
  assert.deepEqual([blamedFor({}), blamedFor({ pool: 'b' })], ['node_removed', undefined]);
});

test('a ConfigMap that the failure names and that was removed is to blame, before a restart', () => {
  const driver = createDriver();
  const web = (generation: number) => object('Deployment', 'web', { spec: { replicas: 1, template: template('1Gi'), generation }, status: {} });
  const set = (name: string, seconds: number) =>
    object('ReplicaSet', name, { spec: { template: template('1Gi') }, status: {} }, { ...owned('Deployment', 'web'), creationTimestamp: driver.at(seconds) });
  const config = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'app-conf', namespace: 'shop', uid: 'uid-conf' } };
  const lists = { nodes: [node('n1')], deployments: [web(1)], replicasets: [set('web-1', -9_000)], configmaps: [config], pods: [], events: [] };
  driver.begin(lists);
  driver.advance(30);
  driver.change('DELETED', 'configmaps', config);
  driver.advance(10);
  driver.change('ADDED', 'replicasets', set('web-2', 40));
  const waiting = containerStatus({ waiting: { reason: 'CreateContainerConfigError', message: 'configmap "app-conf" not found' } });
  driver.change(
    'ADDED',
    'pods',
    rawPod('web-2-x', { ...waiting, phase: 'Pending' }, {}, { ...owned('ReplicaSet', 'web-2'), creationTimestamp: driver.at(41) }),
  );
  driver.advance(120);
  const [incident] = driver.replay.incidents();
  assert.equal(incident?.cause, 'missing_configmap');
  assert.equal(blamed(incident)?.kind, 'config_removed');
});

test('pods that no longer fit after a node was lost blame that', () => {
  const driver = createDriver();
  const lost = {
    ...node('n2'),
    status: { ...(node('n2')['status'] as object), conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: driver.at(30) }] },
  };
  driver.begin({ nodes: [node('n1'), node('n2')], pods: [], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'nodes', lost);
  const pending = unschedulable(driver.at(30), '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s).');
  const spec = { containers: [{ name: 'app', image: 'a:1', resources: { requests: { cpu: '2' } } }] };
  driver.change('ADDED', 'pods', { ...pending, spec });
  driver.advance(70);
  assert.equal(blamed(driver.replay.incidents()[0])?.kind, 'node_lost');
});
