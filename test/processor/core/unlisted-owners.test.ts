/** Owners of kinds that nobody lists: what their Events say of pods that they may not create, and how that ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBucket, restoreState, takeSnapshot } from '../../../processor/core/checkpoint-codec.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import type { Driver, RawObject } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const QUOTA = 'pods "rc-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2';
const refusalOf = (kind: string, apiVersion: string, message: string) => (driver: Driver, count: number, atSeconds: number) =>
  eventOf(driver, 'e1', kind, apiVersion, 'FailedCreate', message, count, atSeconds);
const byController = refusalOf('ReplicationController', 'v1', `Error creating: ${QUOTA}`);

function eventOf(driver: Driver, uid: string, kind: string, apiVersion: string, reason: string, message: string, count: number, atSeconds: number): RawObject {
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name: uid, namespace: 'shop', uid },
    involvedObject: { kind, apiVersion, namespace: 'shop', name: 'rc', uid: 'owner' },
    type: reason === 'FailedCreate' ? 'Warning' : 'Normal',
    reason,
    message,
    count,
    firstTimestamp: driver.at(5),
    lastTimestamp: driver.at(atSeconds),
  };
}

const podOf = (driver: Driver, kind: string, createdAt: number): RawObject =>
  rawPod(
    'rc-1',
    containerStatus({ running: { startedAt: driver.at(createdAt) } }, { ready: true }),
    {},
    {
      creationTimestamp: driver.at(createdAt),
      ownerReferences: [{ apiVersion: 'v1', kind, name: 'rc', uid: 'owner', controller: true }],
    },
  );

const told = (driver: Driver) =>
  driver.replay.incidents().map(({ scenario, cause, subject, state, resolution }) => [scenario, cause, `${subject.kind} ${subject.name}`, state, resolution]);

/** A cluster whose owner has been refused twice, the last time at second 15. */
function refused(event = byController): Driver {
  const driver = createDriver();
  driver.begin({ pods: [], events: [], nodes: [], replicasets: [] });
  driver.advance(10);
  driver.change('ADDED', 'events', event(driver, 1, 5));
  driver.advance(10);
  assert.deepEqual(told(driver), [], 'one refusal is none');
  driver.change('MODIFIED', 'events', event(driver, 2, 15));
  driver.advance(10);
  return driver;
}

const cases = [
  { name: 'a quota', event: byController, expected: ['scheduling_failure', 'quota_exceeded', 'ResourceQuota team'] },
  {
    name: 'Pod Security, in the words of a CloneSet, which prints the pod as well',
    event: refusalOf(
      'CloneSet',
      'apps.kruise.io/v1alpha1',
      'failed to create pod: pods "rc-x" is forbidden: violates PodSecurity "restricted:latest": privileged, pod: {"spec":{"serviceAccountName":"web"}}',
    ),
    expected: ['container_create_failure', 'security_policy', 'CloneSet rc'],
  },
  {
    name: 'a missing ServiceAccount, of a virtual machine',
    event: refusalOf(
      'VirtualMachineInstance',
      'kubevirt.io/v1',
      'Error creating pod: pods "virt-launcher-rc" is forbidden: error looking up service account shop/vm: serviceaccount "vm" not found',
    ),
    expected: ['container_create_failure', 'missing_service_account', 'VirtualMachineInstance rc'],
  },
  {
    name: 'a webhook that names no pod',
    event: refusalOf('BroadcastJob', 'apps.kruise.io/v1alpha1', 'Error creating: admission webhook "v.example" denied the request: no team label'),
    expected: ['container_create_failure', 'admission_denied', 'BroadcastJob rc'],
  },
];
for (const { name, event, expected } of cases) {
  test(`an owner that nobody lists is refused its pods by ${name}`, () => {
    assert.deepEqual(told(refused(event)), [[...expected, 'open', null]]);
  });
}

test('the same reason about anything but pods is no failure of pods', () => {
  const driver = refused(refusalOf('MachineSet', 'cluster.x-k8s.io/v1beta1', 'Failed to create machine: exceeded quota for instances'));
  assert.deepEqual(told(driver), []);
});

test('a controller whose kind is listed is judged by its object, not by its Events alone', () => {
  const driver = refused(refusalOf('ReplicaSet', 'apps/v1', `Error creating: ${QUOTA}`));
  assert.deepEqual(told(driver), []);
});

test('it ends with the success that its owner tells', () => {
  const driver = refused();
  driver.change('ADDED', 'events', eventOf(driver, 'e2', 'ReplicationController', 'v1', 'SuccessfulCreate', 'Created pod: rc-1', 1, 30));
  driver.advance(55);
  assert.equal(told(driver)[0]?.[3], 'recovering');
  driver.advance(10);
  assert.deepEqual(told(driver)[0]?.slice(3), ['resolved', 'recovered']);
});

test('it ends with a pod of its owner that is younger than the refusal, and with no older one', () => {
  const driver = refused();
  driver.change('ADDED', 'pods', podOf(driver, 'ReplicationController', 15));
  driver.advance(70);
  assert.equal(told(driver)[0]?.[3], 'open');
  const younger = podOf(driver, 'ReplicationController', 100);
  driver.change('ADDED', 'pods', { ...younger, metadata: { ...younger.metadata, name: 'rc-2', uid: 'uid-rc-2' } });
  driver.advance(70);
  assert.deepEqual(told(driver)[0]?.slice(3), ['resolved', 'recovered']);
});

test('it ends when nothing more is heard of it for half an hour, as deleted where it has no pods, and no sooner', () => {
  const driver = refused();
  driver.advance(1_700);
  assert.equal(told(driver)[0]?.[3], 'open');
  driver.advance(200);
  assert.deepEqual(told(driver)[0]?.slice(3), ['resolved', 'deleted']);
});

test('half an hour in which Events were not seen is no silence', () => {
  const driver = refused();
  driver.drop('events');
  driver.advance(1_900);
  assert.equal(told(driver)[0]?.[3], 'open');
});

/** Rows of the same records when the state goes through a checkpoint before each of them, or before none. */
function rowsOf(records: Driver['records'], isRestored: boolean): readonly string[] {
  let state = createClusterState({ uid: 'cluster-uid', name: 'test' }, 1);
  return records.flatMap((record) => {
    if (isRestored) {
      const snapshot = takeSnapshot(state);
      const chunks = snapshot.buckets.flatMap(({ table, bucket }) => [...encodeBucket(bucket, 1_000_000)].map((data) => ({ table, data })));
      state = restoreState(state.cluster, snapshot.meta, chunks);
    }
    return step(state, record).map((row) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
  });
}

test('a restart at any record changes nothing of the story', () => {
  const driver = refused();
  driver.change('ADDED', 'pods', podOf(driver, 'ReplicationController', 30));
  driver.advance(20);
  driver.change('MODIFIED', 'events', byController(driver, 3, 45));
  driver.advance(2_000);
  assert.deepEqual(told(driver)[0]?.slice(3), ['resolved', 'recovered']);
  assert.deepEqual(rowsOf(driver.records, true), rowsOf(driver.records, false));
});

test('an owner is gone with its namespace', () => {
  const namespace: RawObject = { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'shop', namespace: '', uid: 'uid-ns' }, spec: {}, status: {} };
  const driver = createDriver();
  driver.begin({ pods: [], events: [], nodes: [], replicasets: [], namespaces: [namespace] });
  driver.advance(10);
  driver.change('ADDED', 'events', byController(driver, 1, 5));
  driver.change('MODIFIED', 'events', byController(driver, 2, 15));
  driver.advance(10);
  assert.deepEqual(
    told(driver).map(([, , , state]) => state),
    ['open'],
  );
  driver.change('DELETED', 'namespaces', namespace);
  driver.advance(5);
  assert.deepEqual(
    told(driver).map(([, , , state]) => state),
    ['recovering'],
    'nobody lists quotas here, so that its absence says nothing',
  );
});
