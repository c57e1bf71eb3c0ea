/** What has to hold of any cluster: small random ones, judged by brute force where the definition allows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod } from '../../../collector/objects.ts';
import { createCapacityState } from '../../../processor/capacity/capacity-state.ts';
import { createCycle, failuresOn } from '../../../processor/capacity/filters.ts';
import { reasonToStay } from '../../../processor/capacity/movable.ts';
import { removableNodes } from '../../../processor/capacity/packing.ts';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import { findRemedy } from '../../../processor/capacity/remedy.ts';
import { reportCapacity } from '../../../processor/capacity/report.ts';
import { addPod, removePod } from '../../../processor/capacity/scheduling-state.ts';
import { buildShape, DEFAULT_SHAPES } from '../../../processor/capacity/shape.ts';
import { fitShape } from '../../../processor/capacity/shape-fit.ts';
import { clusterOf, node, pod, stateOf } from '../../helpers/capacity.ts';

const shapes = DEFAULT_SHAPES.map((config) => {
  const built = buildShape(config);
  assert.ok(built.ok);
  return built.shape;
});

const zone = fc.constantFrom('a', 'b', 'c');
const nodeArb = fc.record({ cpu: fc.integer({ min: 1, max: 8 }), memory: fc.integer({ min: 1, max: 16 }), zone, tainted: fc.boolean() });
const podArb = fc.record({
  cpu: fc.integer({ min: 1, max: 40 }),
  memory: fc.integer({ min: 1, max: 40 }),
  home: fc.nat(7),
  kind: fc.constantFrom('plain', 'plain', 'plain', 'apart', 'daemon', 'bare', 'zone'),
  app: fc.constantFrom('x', 'y'),
});
interface Drawn {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
}

/** Nodes with pods on them that fit where they are. */
function draw(
  drawnNodes: readonly { cpu: number; memory: number; zone: string; tainted: boolean }[],
  drawnPods: readonly (typeof podArb extends fc.Arbitrary<infer T> ? T : never)[],
): Drawn {
  const nodes = drawnNodes.map((each, index) =>
    node(
      `n${index}`,
      { cpu: String(each.cpu), memory: `${each.memory}Gi`, pods: '10' },
      { labels: { zone: each.zone }, spec: each.tainted ? { taints: [{ key: 't', effect: 'NoSchedule' }] } : {} },
    ),
  );
  const pods: Pod[] = [];
  const state = stateOf({ nodes });
  drawnPods.forEach((each, index) => {
    const home = state.nodes[each.home % nodes.length]!;
    const apart = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: each.app } } }],
      },
    };
    const candidate = pod(
      `p${index}`,
      { cpu: `${each.cpu * 100}m`, memory: `${each.memory * 200}Mi` },
      {
        labels: { app: each.app },
        owner: each.kind === 'daemon' ? 'DaemonSet' : each.kind === 'bare' ? '' : 'ReplicaSet',
        spec: {
          ...(each.kind === 'apart' ? { affinity: apart } : {}),
          ...(each.kind === 'zone' ? { nodeSelector: { zone: home.labels?.['zone'] ?? '' } } : {}),
          tolerations: [{ key: 't', operator: 'Exists' }],
        },
      },
    );
    if (failuresOn(createCycle(podFacts(candidate), state), home).length > 0) return;
    const bound = { ...candidate, spec: { ...candidate.spec, nodeName: home.name }, status: { phase: 'Running' } };
    addPod(home, podFacts(bound));
    pods.push(bound);
  });
  return { nodes, pods };
}
const clusterArb = fc.tuple(fc.array(nodeArb, { minLength: 1, maxLength: 5 }), fc.array(podArb, { maxLength: 12 })).map(([nodes, pods]) => draw(nodes, pods));
const wantedArb = fc.record({ cpu: fc.integer({ min: 1, max: 60 }), memory: fc.integer({ min: 1, max: 60 }) });
const wantedPod = ({ cpu, memory }: { cpu: number; memory: number }): Pod => pod('wanted', { cpu: `${cpu * 100}m`, memory: `${memory * 200}Mi` });

test('0 ≤ K ≤ K*, phi is within 0 and 1, and the figures of a pool add up', () => {
  fc.assert(
    fc.property(clusterArb, ({ nodes, pods }) => {
      for (const pool of reportCapacity(stateOf({ nodes, pods }), { shapes, requestedShapes: 5, poolLabels: ['zone'] })) {
        for (const { k, kStar, phi } of pool.shapes) assert.ok(k >= 0 && k <= kStar && phi >= 0 && phi <= 1, JSON.stringify({ k, kStar, phi }));
        assert.equal(pool.free.cpu, pool.allocatable.cpu - pool.requested.cpu);
        assert.ok(pool.stranded.cpu <= pool.free.cpu && pool.stranded.memory <= pool.free.memory);
        assert.ok(pool.expectedWaste.cpu <= pool.free.cpu + 1e-6 && pool.weightedIndex >= 0 && pool.weightedIndex <= 1);
        assert.ok(pool.removable.atLeast >= 0 && pool.removable.atLeast <= pool.removable.atMost && pool.removable.atMost <= pool.nodes);
      }
    }),
    { numRuns: 150 },
  );
});

test('more free space never lowers K: neither a pod that goes nor a larger node', () => {
  fc.assert(
    fc.property(clusterArb, wantedArb, fc.nat(), (drawn, wanted, choice) => {
      const k = (cluster: Drawn): number => {
        const state = stateOf(cluster);
        return fitShape(createCycle(podFacts(wantedPod(wanted)), state)).k;
      };
      const before = k(drawn);
      assert.ok(k({ ...drawn, pods: drawn.pods.filter((_, index) => index !== choice % Math.max(1, drawn.pods.length)) }) >= before);
      const larger = drawn.nodes.map((each, index) =>
        index === choice % drawn.nodes.length ? { ...each, status: { ...each.status, allocatable: { cpu: '9', memory: '17Gi', pods: '11' } } } : each,
      );
      assert.ok(k({ ...drawn, nodes: larger }) >= before);
    }),
    { numRuns: 150 },
  );
});

/** The fewest moves, tried one by one and in every order, up to `limit`; undefined if more are needed. */
function fewestMoves(drawn: Drawn, wanted: Pod, limit: number): number | undefined {
  const state = stateOf(drawn);
  const incoming = createCycleFor(wanted);
  for (let moves = 0; moves <= limit; moves += 1) if (reachable(moves, new Set())) return moves;
  return undefined;

  function createCycleFor(each: Pod) {
    return () => createCycle(podFacts(each), state);
  }
  function reachable(moves: number, moved: Set<string>): boolean {
    if (moves === 0) {
      const cycle = incoming();
      return state.nodes.some((each) => each.exclusion === undefined && failuresOn(cycle, each).length === 0);
    }
    for (const from of state.nodes) {
      for (const facts of [...from.pods]) {
        if (moved.has(facts.name) || reasonToStay(facts.pod) !== undefined) continue;
        const { nodeName: _nodeName, ...spec } = facts.pod.spec;
        for (const to of state.nodes) {
          if (to === from || failuresOn(createCycle(podFacts({ ...facts.pod, spec }), state), to).length > 0) continue;
          removePod(from, facts);
          addPod(to, facts);
          const found = reachable(moves - 1, new Set([...moved, facts.name]));
          removePod(to, facts);
          addPod(from, facts);
          if (found) return true;
        }
      }
    }
    return false;
  }
}

/** Four-core nodes, mostly full of pods of about a core: what is free is in pieces. */
const crowdedArb = fc.tuple(fc.array(nodeArb, { minLength: 2, maxLength: 4 }), fc.array(podArb, { minLength: 6, maxLength: 12 })).map(([nodes, pods]) =>
  draw(
    nodes.map((each) => ({ ...each, cpu: 4, memory: 8 })),
    pods.map((each) => ({ ...each, cpu: 5 + (each.cpu % 11), memory: 4 + (each.memory % 8) })),
  ),
);
const largeArb = fc.record({ cpu: fc.integer({ min: 12, max: 32 }), memory: fc.integer({ min: 1, max: 20 }) });

test('a remedy, carried out move by move, makes the pod fit; no plan of up to two moves is shorter', () => {
  let moved = 0;
  fc.assert(
    fc.property(crowdedArb, largeArb, (drawn, drawnWanted) => {
      const wanted = wantedPod(drawnWanted);
      const state = stateOf(drawn);
      const { move, fit } = findRemedy(wanted, state, { maxChecks: 10_000_000 });
      assert.deepEqual(fitShape(createCycle(podFacts(wanted), state)), fit, 'the state is left as it was');
      const fewest = fewestMoves(drawn, wanted, 2);
      if (fewest !== undefined && fewest > 0) assert.equal(move?.moves.length, fewest);
      if (move === undefined) return;
      moved += 1;
      if (fewest === undefined) assert.ok(move.moves.length > 2);
      for (const { pod: name, from, to } of move.moves) {
        const [source, target] = [state.byName.get(from)!, state.byName.get(to)!];
        const facts = [...source.pods].find((each) => each.name === name)!;
        assert.equal(reasonToStay(facts.pod), undefined);
        const { nodeName: _nodeName, ...spec } = facts.pod.spec;
        assert.deepEqual(failuresOn(createCycle(podFacts({ ...facts.pod, spec }), state), target), []);
        removePod(source, facts);
        addPod(target, facts);
      }
      assert.deepEqual(failuresOn(createCycle(podFacts(wanted), state), state.byName.get(move.node)!), []);
    }),
    { numRuns: 150 },
  );
  assert.ok(moved > 0, 'no cluster needed a move');
});

/** The most nodes that can be empty of all but DaemonSet pods, by trying every packing. */
function mostRemovable({ nodes, pods }: Drawn): number {
  const state = stateOf({ nodes, pods: pods.filter((each) => podFacts(each).stays) });
  const movable = pods
    .filter((each) => !podFacts(each).stays)
    .map((each) => {
      const { nodeName: _nodeName, ...spec } = each.spec;
      return podFacts({ ...each, spec });
    });
  let best = 0;
  const place = (index: number): void => {
    const empty = state.nodes.filter((each) => [...each.pods].every((facts) => facts.stays)).length;
    if (empty <= best && index > 0) return;
    const facts = movable[index];
    if (facts === undefined) {
      best = Math.max(best, empty);
      return;
    }
    for (const each of state.nodes) {
      if (failuresOn(createCycle(facts, state), each).length > 0) continue;
      addPod(each, facts);
      place(index + 1);
      removePod(each, facts);
    }
  };
  place(0);
  return best;
}

test('the interval of removable nodes contains the best packing there is', () => {
  const small = fc.tuple(fc.array(nodeArb, { minLength: 1, maxLength: 4 }), fc.array(podArb, { maxLength: 6 })).map(([nodes, pods]) => draw(nodes, pods));
  fc.assert(
    fc.property(small, (drawn) => {
      const state = stateOf(drawn);
      const { atLeast, atMost } = removableNodes(state.nodes, state);
      const best = mostRemovable(drawn);
      assert.ok(atLeast <= best && best <= atMost, `${atLeast} ≤ ${best} ≤ ${atMost}`);
    }),
    { numRuns: 150 },
  );
});

test('a state kept up to date, in any order and with detours, answers as one built afresh', () => {
  fc.assert(
    fc.property(clusterArb, wantedArb, fc.array(fc.nat()), (drawn, wanted, detours) => {
      const cluster = clusterOf(drawn);
      const capacity = createCapacityState(cluster);
      const steps = [...drawn.pods.map((each) => () => capacity.setPod(each)), ...drawn.nodes.map((each) => () => capacity.setNode(each))];
      for (const detour of detours) steps.splice(detour % (steps.length + 1), 0, ...detoursOf(capacity, drawn, detour));
      for (const [index, step] of steps.entries()) {
        step();
        if (index % 3 === 0) reportCapacity(capacity.scheduling(), { shapes, requestedShapes: 3, poolLabels: ['zone'] });
      }
      for (const each of drawn.nodes) capacity.setNode(each);
      for (const each of drawn.pods) capacity.setPod(each);
      const answer = (state: ReturnType<typeof stateOf>) => ({
        fit: fitShape(createCycle(podFacts(wantedPod(wanted)), state)),
        report: reportCapacity(state, { shapes, requestedShapes: 3, poolLabels: ['zone'] }),
      });
      assert.deepEqual(answer(capacity.scheduling()), answer(stateOf(drawn)));
    }),
    { numRuns: 100 },
  );
});

/** Versions that differ in one thing alone, most of them with the spec of the pod itself. */
function otherVersions(pod: Pod): readonly Pod[] {
  const { metadata, status } = pod;
  const resized = [{ name: 'app', resources: { requests: { cpu: '7' } }, allocatedResources: { cpu: '7' } }] as unknown as Pod['status']['containerStatuses'];
  return [
    { ...pod, status: { ...status, startTime: '2026-01-01T00:00:00Z' } },
    { ...pod, status: { ...status, phase: 'Succeeded' } },
    { ...pod, status: { ...status, nominatedNodeName: 'n0' } },
    { ...pod, status: { ...status, containerStatuses: resized } },
    { ...pod, metadata: { ...metadata, labels: { app: 'other' } } },
    { ...pod, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    { ...pod, metadata: { ...metadata, ownerReferences: [{ kind: 'DaemonSet', name: 'd', uid: 'd' }] } },
  ];
}

/** Versions of a node that differ in one thing. */
function otherNodes(each: Node): readonly Node[] {
  return [
    { ...each, metadata: { ...each.metadata, labels: { ...each.metadata.labels, 'kubernetes.io/hostname': 'shared', zone: 'z' } } },
    { ...each, spec: { ...each.spec, unschedulable: true } },
    { ...each, status: { ...each.status, allocatable: { cpu: '1', memory: '1Gi', pods: '10' } } },
  ];
}

test('whatever changes on the way, a state kept up to date reports after every change as one built afresh', () => {
  const change = fc.record({ isNode: fc.boolean(), which: fc.nat(), version: fc.nat(12) });
  fc.assert(
    fc.property(clusterArb, fc.array(change, { maxLength: 12 }), (drawn, changes) => {
      const [nodes, pods] = [new Map(drawn.nodes.map((each) => [each.metadata.name, each])), new Map(drawn.pods.map((each) => [each.metadata.uid, each]))];
      const capacity = createCapacityState(clusterOf(drawn));
      const report = (state: ReturnType<typeof stateOf>) => reportCapacity(state, { shapes, requestedShapes: 3, poolLabels: ['zone'] });
      capacity.sync(
        () => nodes.values(),
        () => pods.values(),
      );
      for (const { isNode, which, version } of changes) {
        if (isNode) {
          const each = drawn.nodes[which % drawn.nodes.length]!;
          const next = [each, ...otherNodes(each)][version];
          if (next === undefined) nodes.delete(each.metadata.name);
          else nodes.set(each.metadata.name, next);
        } else if (drawn.pods.length > 0) {
          const each = drawn.pods[which % drawn.pods.length]!;
          const next = [each, ...otherVersions(each)][version];
          if (next === undefined) pods.delete(each.metadata.uid);
          else pods.set(each.metadata.uid, next);
        }
        capacity.sync(
          () => nodes.values(),
          () => pods.values(),
        );
        // Copies: what is kept with an object must not answer for both.
        assert.deepEqual(report(capacity.scheduling()), report(stateOf(structuredClone({ nodes: [...nodes.values()], pods: [...pods.values()] }))));
      }
    }),
    { numRuns: 100 },
  );
});

function detoursOf(capacity: ReturnType<typeof createCapacityState>, { nodes, pods }: Drawn, choice: number): readonly (() => void)[] {
  const [aNode, aPod] = [nodes[choice % nodes.length]!, pods[choice % Math.max(1, pods.length)]];
  const smaller = { ...aNode, status: { ...aNode.status, allocatable: { cpu: '1' } }, metadata: { ...aNode.metadata, labels: { zone: 'z' } } };
  return [
    () => capacity.setNode(smaller),
    () => capacity.removeNode(aNode.metadata.name),
    () => capacity.setNode({ ...aNode, spec: { ...aNode.spec, unschedulable: true } }),
    ...(aPod === undefined
      ? []
      : [
          () => capacity.setPod({ ...aPod, spec: { ...aPod.spec, nodeName: 'elsewhere' } }),
          () => capacity.removePod(aPod.metadata.uid),
          ...otherVersions(aPod).map((version) => () => capacity.setPod(version)),
        ]),
  ];
}
