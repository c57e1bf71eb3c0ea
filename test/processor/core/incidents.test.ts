import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../../collector/objects.ts';
import { createEmitter } from '../../../processor/core/emit.ts';
import type { Incident } from '../../../processor/core/incident.ts';
import type { Engine, Source } from '../../../processor/core/incidents.ts';
import { groupIncidents } from '../../../processor/core/grouping.ts';
import { reconcile, recoveryDue, sourceGone, subjectGone } from '../../../processor/core/incidents.ts';
import type { ClusterState } from '../../../processor/core/state.ts';
import { createClusterState, indexObject, unindexObject } from '../../../processor/core/state.ts';
import type { ScenarioId, Signal } from '../../../processor/scenarios/scenario.ts';

const NONE: ReadonlySet<ScenarioId> = new Set();
const SECOND = 1_000;

interface Bench {
  readonly state: ClusterState;
  /** Judges `pod` at second `at`: these signals are what the rules say. */
  judge(at: number, pod: string, ...signals: Signal[]): void;
  gone(at: number, pod: string): void;
  recover(at: number): void;
  dropWorkload(at: number): void;
  /** Every incident, resolved ones too, by the order of opening. */
  incidents(): Incident[];
  timeline(): string[];
}

function bench(): Bench {
  const state = createClusterState({ uid: 'c', name: 'test' }, 1);
  const seen = new Map<string, Incident>();
  const told: string[] = [];
  const object = (kind: string, name: string): KubeObject => ({
    kind,
    apiVersion: 'v1',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '1' },
  });
  const web = object('Deployment', 'web') as never;
  state.tables.objects.deployments.set('uid-web', { rv: '1', object: web });
  indexObject(state.indexes, 'deployments', web);
  const source = (pod: string): Source => ({ kind: 'pod', uid: pod, object: { ...object('Pod', pod), spec: { containers: [] }, status: {} } as KubeObject });
  const run = (at: number, act: (engine: Engine) => void): void => {
    state.meta.streamTimeMs = at * SECOND;
    const emitter = createEmitter();
    const engine: Engine = { state, emitter };
    act(engine);
    groupIncidents(engine);
    for (const [id, incident] of engine.touched ?? []) seen.set(id, incident);
    for (const row of emitter.rows(1n)) if (row.table === 'incident_timeline') told.push(row.row.kind);
  };
  return {
    state,
    judge: (at, pod, ...signals) => run(at, (engine) => reconcile(engine, source(pod), signals, NONE)),
    gone: (at, pod) => run(at, (engine) => sourceGone(engine, source(pod))),
    recover: (at) =>
      run(at, (engine) => {
        for (let t = state.timers.take(at * SECOND); t !== undefined; t = state.timers.take(at * SECOND)) {
          if (t.key.startsWith('recover/')) recoveryDue(engine, t.key.slice('recover/'.length));
        }
      }),
    dropWorkload: (at) =>
      run(at, (engine) => {
        state.tables.objects.deployments.delete('uid-web');
        unindexObject(state.indexes, 'deployments', web);
        subjectGone(engine, web);
      }),
    incidents: () => [...seen.values()],
    timeline: () => told,
  };
}

function signal(change: Partial<Signal> = {}): Signal {
  return {
    scenario: 'container_exit',
    cause: 'exit_immediate',
    detail: '',
    flags: [],
    confidence: 'certain',
    subject: { kind: 'Deployment', namespace: 'shop', name: 'web', container: '' },
    track: 'run',
    rank: 10,
    fact: { value: 'restartCount=3', timeMs: 0, says: 'it ended' },
    dueTimeMs: 0,
    recoverAfterMs: 60 * SECOND,
    summary: 'it exits',
    evidence: [],
    ...change,
  };
}

test('opens at the due time and not a moment before', () => {
  const b = bench();
  b.judge(59, 'a', signal({ dueTimeMs: 60 * SECOND }));
  assert.equal(b.incidents().length, 0);
  assert.equal(b.state.timers.due('judge/pod/a'), 60 * SECOND);
  b.judge(60, 'a', signal({ dueTimeMs: 60 * SECOND }));
  assert.deepEqual([b.incidents()[0]?.state, b.incidents()[0]?.openedMs], ['open', 60 * SECOND]);
});

test('a signal below its threshold opens nothing and waits for nothing', () => {
  const b = bench();
  b.judge(10, 'a', signal({ dueTimeMs: undefined }));
  assert.equal(b.incidents().length, 0);
  assert.equal(b.state.timers.due('judge/pod/a'), undefined);
});

test('two hundred pods of one workload are one incident with members', () => {
  const b = bench();
  for (let i = 0; i < 200; i++) b.judge(10, `p${i}`, signal());
  assert.equal(b.incidents().length, 1);
  assert.deepEqual([b.incidents()[0]?.members, b.incidents()[0]?.failing], [200, 200]);
});

test('recovers after stability, and only when no member fails', () => {
  const b = bench();
  b.judge(10, 'a', signal());
  b.judge(10, 'b', signal());
  b.judge(20, 'a');
  assert.equal(b.incidents()[0]?.state, 'open');
  b.judge(30, 'b');
  assert.equal(b.incidents()[0]?.state, 'recovering');
  b.recover(89);
  assert.equal(b.incidents()[0]?.state, 'recovering');
  b.recover(90);
  assert.deepEqual([b.incidents()[0]?.state, b.incidents()[0]?.resolution, b.incidents()[0]?.resolvedMs], ['resolved', 'recovered', 90 * SECOND]);
  assert.equal(b.state.tables.members.size + b.state.tables.sources.size + b.state.tables.timers.size, 0);
});

test('a relapse while recovering is a flap of the same incident, one after it is another incident', () => {
  const b = bench();
  b.judge(10, 'a', signal());
  b.judge(20, 'a');
  b.judge(30, 'a', signal({ dueTimeMs: undefined }));
  assert.deepEqual([b.incidents().length, b.incidents()[0]?.state, b.incidents()[0]?.flaps], [1, 'open', 1]);
  b.judge(40, 'a');
  b.recover(100);
  b.judge(110, 'a', signal({ fact: { value: 'restartCount=9', timeMs: 105 * SECOND, says: 'it ended' } }));
  assert.equal(b.incidents().length, 2);
});

test('a failing pod that is replaced by another failing one is no flap', () => {
  const b = bench();
  b.judge(10, 'a', signal());
  b.gone(20, 'a');
  b.judge(30, 'b', signal());
  assert.deepEqual([b.incidents().length, b.incidents()[0]?.state, b.incidents()[0]?.flaps, b.incidents()[0]?.members], [1, 'open', 0, 2]);
});

test('ends as deleted once its workload and its last failing pod are gone, in either order', () => {
  for (const order of ['workload first', 'pod first']) {
    const b = bench();
    b.judge(10, 'a', signal());
    if (order === 'workload first') {
      b.dropWorkload(20);
      assert.equal(b.incidents()[0]?.state, 'open');
      b.gone(21, 'a');
    } else {
      b.gone(20, 'a');
      assert.equal(b.incidents()[0]?.state, 'recovering');
      b.dropWorkload(21);
    }
    assert.deepEqual([b.incidents()[0]?.state, b.incidents()[0]?.resolution], ['resolved', 'deleted'], order);
  }
});

test('a pod that was taken for gone and fails once more opens another incident, not the one of before', () => {
  const b = bench();
  b.judge(0, 'a', signal());
  b.gone(10, 'a');
  b.recover(100);
  b.judge(110, 'a', signal());
  assert.deepEqual(
    b.incidents().map(({ state }) => state),
    ['resolved', 'open'],
  );
  assert.equal(new Set(b.incidents().map(({ id }) => id)).size, 2);
});

test('a bare pod takes its incident with it', () => {
  const b = bench();
  b.judge(10, 'a', signal({ subject: { kind: 'Pod', namespace: 'shop', name: 'a', container: 'app' } }));
  b.gone(20, 'a');
  assert.equal(b.incidents()[0]?.resolution, 'deleted');
});

test('a stronger signal relabels, a weaker one does not, and the id stays', () => {
  const b = bench();
  b.judge(10, 'a', signal());
  const id = b.incidents()[0]?.id;
  b.judge(20, 'a', signal({ scenario: 'oom_killed', cause: 'container_limit', rank: 30 }));
  b.judge(30, 'a', signal());
  assert.deepEqual([b.incidents().length, b.incidents()[0]?.id, b.incidents()[0]?.scenario], [1, id, 'oom_killed']);
  assert.deepEqual(b.timeline(), ['symptom', 'opened', 'relabelled']);
});

test('of equal signals the one that named the incident decides', () => {
  const b = bench();
  b.judge(10, 'a', signal({ cause: 'exit_immediate' }));
  b.judge(11, 'b', signal({ cause: 'exit_after_run' }));
  assert.equal(b.incidents()[0]?.cause, 'exit_immediate');
  b.judge(12, 'a', signal({ cause: 'exit_after_run' }));
  assert.equal(b.incidents()[0]?.cause, 'exit_after_run');
});

test('different tracks of one workload are different incidents', () => {
  const b = bench();
  b.judge(10, 'a', signal(), signal({ track: 'pull', scenario: 'image_pull_failure', cause: 'image_not_found' }));
  assert.equal(b.incidents().length, 2);
});

test('what could not be judged neither recovers nor opens', () => {
  const b = bench();
  b.judge(10, 'a', signal());
  const engine: Engine = { state: b.state, emitter: createEmitter() };
  reconcile(
    engine,
    { kind: 'pod', uid: 'a', object: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a', namespace: 'shop', uid: 'a', resourceVersion: '2' } } },
    [],
    new Set(['container_exit']),
  );
  assert.equal(engine.touched, undefined);
});

test('three workloads that fail alike on one image within ten minutes get a parent, and it ends with them', () => {
  const b = bench();
  const about = (name: string) =>
    signal({
      subject: { kind: 'Deployment', namespace: 'shop', name, container: 'app' },
      shared: { image: 'registry.example/base:1' },
      scenario: 'image_pull_failure',
      track: 'pull',
    });
  b.judge(10, 'a', about('one'));
  b.judge(20, 'b', about('two'));
  assert.equal(b.incidents().filter((i) => i.isParent).length, 0);
  b.judge(30, 'c', about('three'));
  const parent = b.incidents().find((i) => i.isParent);
  assert.deepEqual([parent?.subject.kind, parent?.subject.name, parent?.failing], ['Image', 'registry.example/base:1', 3]);
  assert.ok(b.incidents().every((i) => i.isParent || i.parent === parent?.id));
  for (const pod of ['a', 'b', 'c']) b.judge(40, pod);
  b.recover(200);
  assert.deepEqual(
    b.incidents().map((i) => [i.state, i.resolution]),
    Array(4).fill(['resolved', 'recovered']),
  );
});

test('a parent that forms again around the same first child has an id of its own, and the same in every replay', () => {
  const parentsOf = (): readonly string[] => {
    const b = bench();
    const about = (name: string) => signal({ subject: { kind: 'Deployment', namespace: 'shop', name, container: 'app' }, shared: { node: 'n1' } });
    const names = ['one', 'two', 'three'];
    for (const name of names) b.judge(10, name, about(name));
    // The first child is forgotten with its pod, and comes back with the same fact.
    for (const name of names) b.judge(20, name);
    b.recover(700);
    for (const name of names) b.state.tables.opened.delete(name);
    for (const name of names) b.judge(800, name, about(name));
    const parents = b.incidents().filter((i) => i.isParent);
    return parents.map((i) => i.id);
  };
  assert.equal(parentsOf().length, 2);
  assert.deepEqual(parentsOf(), parentsOf());
});

const SHARED = [
  [{ image: 'registry.example/base:1', registry: 'registry.example' }, 'Image', 'registry.example/base:1'],
  [{ registry: 'registry.example' }, 'Registry', 'registry.example'],
  [{ node: 'n1' }, 'Node', 'n1'],
  [{ claim: 'data' }, 'PersistentVolumeClaim', 'data'],
] as const;
for (const [shared, kind, name] of SHARED) {
  test(`what they share makes the parent: ${kind}`, () => {
    const b = bench();
    const about = (workload: string, cause = 'exit_immediate') =>
      signal({ cause, subject: { kind: 'Deployment', namespace: 'shop', name: workload, container: 'app' }, shared });
    for (const [i, workload] of ['one', 'two', 'three'].entries()) b.judge(10 + i, workload, about(workload, i === 2 ? 'exit_after_run' : 'exit_immediate'));
    assert.equal(b.incidents().filter((i) => i.isParent).length, 0, 'another cause is no likeness');
    b.judge(20, 'four', about('four'));
    const parent = () => b.incidents().find((i) => i.isParent);
    assert.deepEqual([parent()?.subject.kind, parent()?.subject.name, parent()?.failing], [kind, name, 3]);
    for (let i = 0; i < 30; i++) b.judge(30, `more-${i}`, about(`more-${i}`));
    assert.match(parent()?.summary ?? '', /^33 workloads fail alike/);
    assert.equal(b.timeline().filter((told) => told === 'member').length, 10, 'a story has an end');
  });
}

test('workloads that fail alike over more than ten minutes are not grouped', () => {
  const b = bench();
  for (const [i, name] of ['one', 'two', 'three'].entries()) {
    b.judge(10 + i * 301, name, signal({ subject: { kind: 'Deployment', namespace: 'shop', name, container: 'app' }, shared: { node: 'n1' } }));
  }
  assert.equal(b.incidents().length, 3);
});
