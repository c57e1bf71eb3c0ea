/**
 * The life of a simulated cluster: workloads whose pods start, crash, cannot pull their image, are rolled out, deleted, evicted without
 * a goodbye and made again under the same name; nodes that come and go; Events about all that.
 */
import type { Resource } from '../../collector/objects.ts';
import type { ApiServer, RawObject, Spoilt } from './api-server.ts';
import { SPOILT } from './api-server.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export const WORLD_RESOURCES: readonly Resource[] = ['namespaces', 'nodes', 'statefulsets', 'replicasets', 'deployments', 'pods', 'events'];

export interface World {
  /** Starts the life of the cluster. */
  begin(): void;
  /** Every pod comes to rest, healthy or failing for good, and so do the nodes. Nothing happens from a minute later on. */
  settle(): void;
  /** Uids of the pods whose container fails for good, once settled. */
  failing(): ReadonlySet<string>;
  /** The API server was restored from a backup: kubelets and controllers make of it what it should be. False, and nothing to do, once settled. */
  mayGoBack(): boolean;
  wentBack(random: Random): void;
  /** A pod becomes what no client can read, for a while; or something is made that never is anything else. */
  spoil(random: Random): void;
}

interface Workload {
  readonly kind: 'Deployment' | 'StatefulSet';
  readonly name: string;
  readonly replicas: number;
  revision: number;
  ownerUid: string;
  /** By slot; the key of the pod's life. */
  readonly slots: (PodLife | undefined)[];
}

interface PodLife {
  readonly uid: string;
  readonly name: string;
  readonly createdMs: number;
  readonly node: string;
  readonly image: string;
  phase: 'pending' | 'creating' | 'running' | 'terminated' | 'backoff' | 'pulling';
  restarts: number;
  startedMs: number;
  endedMs: number;
  exitCode: number;
  deletingMs: number;
  gone: boolean;
}

const NAMESPACE = 'shop';
const iso = (ms: number): string => new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');

/** Creates the life of one cluster. `paceMs` is the mean time from one happening to the next. */
export function createWorld(server: ApiServer, time: VirtualTime, random: Random, paceMs: number): World {
  const nodes = ['n1', 'n2', 'n3'];
  const ready = new Map(nodes.map((node) => [node, true]));
  const failing = new Set<string>();
  /** By uid: how, and what was to be read of it before. */
  const unreadable = new Map<string, { readonly how: Spoilt; readonly before: string }>();
  let serial = 0;
  let isSettled = false;
  const uid = (what: string): string => `${what}-${(serial++).toString(36)}-${random.int(0, 99_999)}`;
  const now = (): number => server.nowMs();

  const workloads: Workload[] = Array.from({ length: random.int(2, 4) }, (_, i) => ({
    kind: random.chance(0.5) ? 'Deployment' : 'StatefulSet',
    name: `app-${i}`,
    replicas: random.int(1, 4),
    revision: 0,
    ownerUid: '',
    slots: [],
  }));

  const putNode = (name: string): void => {
    const isReady = ready.get(name) === true;
    const condition = {
      type: 'Ready',
      status: isReady ? 'True' : 'Unknown',
      reason: isReady ? 'KubeletReady' : 'NodeStatusUnknown',
      lastTransitionTime: iso(now()),
    };
    const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, capacity: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [condition] };
    server.put('nodes', { kind: 'Node', apiVersion: 'v1', metadata: { name, uid: `node-${name}`, creationTimestamp: iso(now()) }, spec: {}, status });
  };

  const putPod = (workload: Workload, pod: PodLife): void => {
    const how = unreadable.get(pod.uid)?.how;
    if (!pod.gone) server.put('pods', { ...podObject(workload, pod), ...(how !== undefined && { spoilt: how }) });
  };
  const mend = (workload: Workload, pod: PodLife): void => {
    const known = unreadable.get(pod.uid);
    if (known === undefined || pod.gone) return;
    unreadable.delete(pod.uid);
    const object = podObject(workload, pod);
    server.put('pods', object, JSON.stringify(object) === known.before);
  };
  const putStranger = (random: Random): void => {
    const [resource, spoilt] = [random.pick(WORLD_RESOURCES), random.pick(SPOILT)];
    const id = `stranger-${resource}-${spoilt}`;
    server.put(resource, { kind: 'Stranger', apiVersion: 'v1', metadata: { name: id, uid: id }, spoilt });
  };

  const event = (pod: PodLife, reason: string, message: string): void => {
    const regarding = { kind: 'Pod', namespace: NAMESPACE, name: pod.name, uid: pod.uid };
    const id = `event-${pod.uid}-${reason}`;
    const before = server.objects('events').get(id);
    const count = ((before?.['count'] as number | undefined) ?? 0) + 1;
    const firstTimestamp = before?.['firstTimestamp'] ?? iso(now());
    server.put('events', {
      kind: 'Event',
      apiVersion: 'v1',
      metadata: { name: id, namespace: NAMESPACE, uid: id, creationTimestamp: String(firstTimestamp) },
      involvedObject: regarding,
      type: 'Warning',
      reason,
      message,
      source: { component: 'kubelet' },
      firstTimestamp,
      lastTimestamp: iso(now()),
      count,
    });
  };

  const createOwner = (workload: Workload): void => {
    workload.revision += 1;
    const { kind, name, replicas, revision } = workload;
    const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image: `registry.example/${name}:${revision}` }] } };
    const spec = { replicas, selector: { matchLabels: { app: name } }, template };
    const metadata = { name, namespace: NAMESPACE, uid: `${kind.toLowerCase()}-${name}`, creationTimestamp: iso(now()) };
    const object: RawObject = { kind, apiVersion: 'apps/v1', metadata, spec, status: { replicas, readyReplicas: 0 } };
    server.put(kind === 'Deployment' ? 'deployments' : 'statefulsets', object);
    workload.ownerUid = metadata.uid;
    if (kind === 'StatefulSet') return;
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid: metadata.uid, controller: true }];
    const set = { ...metadata, name: `${name}-${revision}`, uid: uid('rs'), ownerReferences };
    server.put('replicasets', { kind: 'ReplicaSet', apiVersion: 'apps/v1', metadata: set, spec, status: { replicas } });
    workload.ownerUid = set.uid;
  };

  const createPod = (workload: Workload, slot: number): void => {
    const id = uid('pod');
    const name = workload.kind === 'StatefulSet' ? `${workload.name}-${slot}` : `${workload.name}-${workload.revision}-${id.slice(4)}`;
    const image = `registry.example/${workload.name}:${workload.revision}`;
    const life = {
      createdMs: now(),
      node: random.pick(nodes),
      image,
      phase: 'pending' as const,
      restarts: 0,
      startedMs: 0,
      endedMs: 0,
      exitCode: 1,
      deletingMs: 0,
      gone: false,
    };
    const pod: PodLife = { uid: id, name, ...life };
    workload.slots[slot] = pod;
    putPod(workload, pod);
    time.after(random.between(50, 3_000), () => move(workload, pod, 'creating'));
    time.after(random.between(3_000, 8_000), () => {
      if (pod.phase === 'creating') move(workload, pod, random.chance(0.1) ? 'pulling' : 'running');
    });
  };

  const move = (workload: Workload, pod: PodLife, phase: PodLife['phase']): void => {
    if (pod.gone || pod.deletingMs > 0) return;
    pod.phase = phase;
    if (phase === 'running') pod.startedMs = now();
    if (phase === 'terminated') {
      pod.endedMs = now();
      pod.exitCode = random.pick([1, 1, 2, 137]);
    }
    if (phase === 'backoff') event(pod, 'BackOff', 'Back-off restarting failed container app in pod');
    if (phase === 'pulling') event(pod, 'Failed', `Failed to pull image "${pod.image}": not found`);
    putPod(workload, pod);
  };

  /** Ends at once, comes back after its back-off, and so on as the world likes it. */
  const crash = (workload: Workload, pod: PodLife): void => {
    if (pod.phase !== 'running') return;
    move(workload, pod, 'terminated');
    time.after(random.between(100, 2_000), () => {
      if (pod.phase !== 'terminated') return;
      pod.restarts += 1;
      move(workload, pod, random.chance(0.3) ? 'running' : 'backoff');
      time.after(random.between(5_000, 60_000), () => {
        if (pod.phase === 'backoff' && !isSettled) move(workload, pod, 'running');
      });
    });
  };

  const removePod = (workload: Workload, pod: PodLife): void => {
    // Whoever deletes what nobody can name leaves it in the tables until the next list.
    if (!isNamed(unreadable.get(pod.uid)?.how)) mend(workload, pod);
    pod.gone = true;
    server.remove('pods', pod.uid);
  };
  const deletePod = (workload: Workload, slot: number): void => {
    const pod = workload.slots[slot];
    if (pod === undefined || pod.deletingMs > 0) return;
    const replace = (): void => {
      removePod(workload, pod);
      if (workload.slots[slot] === pod) createPod(workload, slot);
    };
    if (random.chance(0.3)) return replace();
    pod.deletingMs = now() + 30_000;
    putPod(workload, pod);
    if (workload.kind === 'Deployment' && !isSettled) createPod(workload, slot);
    time.after(random.between(500, 20_000), replace);
  };

  const happenings: readonly (() => void)[] = [
    () => withPod(crash),
    () => withPod(crash),
    () => withPod((workload, pod) => move(workload, pod, pod.phase === 'pulling' || pod.phase === 'backoff' ? 'running' : pod.phase)),
    () => withPod((workload, _, slot) => deletePod(workload, slot)),
    () => withPod((_, pod) => event(pod, 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503')),
    // What only managedFields knows of.
    () => withPod((_, pod) => touch('pods', pod.uid)),
    () => touch('nodes', `node-${random.pick(nodes)}`),
    () => {
      const events = [...server.objects('events').keys()];
      if (events.length > 0) server.remove('events', random.pick(events));
    },
    () => {
      if (!random.chance(0.3)) return;
      const node = random.pick(nodes);
      ready.set(node, ready.get(node) !== true);
      putNode(node);
    },
    () => {
      if (random.chance(0.3)) rollOut(random.pick(workloads));
    },
  ];
  const withPod = (act: (workload: Workload, pod: PodLife, slot: number) => void): void => {
    const workload = random.pick(workloads);
    const slot = random.int(0, workload.replicas - 1);
    const pod = workload.slots[slot];
    if (pod !== undefined && !pod.gone) act(workload, pod, slot);
  };
  const touch = (resource: Resource, id: string): void => {
    const object = server.objects(resource).get(id);
    if (object === undefined) return;
    const managedFields = [{ manager: 'kubelet', operation: 'Update', time: iso(now()) }];
    server.put(resource, { ...object, metadata: { ...object.metadata, managedFields } }, true);
  };
  const rollOut = (workload: Workload): void => {
    createOwner(workload);
    for (let slot = 0; slot < workload.replicas; slot++) time.after(random.between(0, 10_000), () => deletePod(workload, slot));
  };
  const live = (): void => {
    if (isSettled) return;
    random.pick(happenings)();
    time.after(-Math.log(1 - random.next()) * paceMs, live);
  };

  return {
    begin() {
      server.put('namespaces', {
        kind: 'Namespace',
        apiVersion: 'v1',
        metadata: { name: NAMESPACE, uid: 'namespace-shop' },
        spec: {},
        status: { phase: 'Active' },
      });
      for (const node of nodes) putNode(node);
      for (const workload of workloads) {
        createOwner(workload);
        for (let slot = 0; slot < workload.replicas; slot++) createPod(workload, slot);
      }
      live();
    },
    settle() {
      isSettled = true;
      for (const workload of workloads) for (const pod of workload.slots) if (pod !== undefined) mend(workload, pod);
      for (const node of nodes) {
        if (ready.get(node) === true) continue;
        ready.set(node, true);
        putNode(node);
      }
      time.after(50_000, () => {
        for (const workload of workloads) {
          for (const pod of workload.slots) {
            if (pod === undefined || pod.gone) continue;
            if (pod.phase !== 'running' || random.chance(0.2)) {
              pod.restarts = Math.max(4, pod.restarts + 1);
              pod.endedMs = now();
              failing.add(pod.uid);
              move(workload, pod, 'backoff');
            }
          }
        }
      });
    },
    failing: () => failing,
    mayGoBack: () => !isSettled,
    wentBack(by) {
      const soon = (act: () => void): void => time.after(by.between(100, 15_000), act);
      for (const node of nodes) soon(() => putNode(node));
      const restored = [...server.objects('pods').keys()].filter((id) => id.startsWith('pod-'));
      const known = new Set<string>();
      for (const workload of workloads) {
        createOwner(workload);
        for (const [slot, pod] of workload.slots.entries()) {
          if (pod === undefined || pod.gone) continue;
          known.add(pod.uid);
          if (server.objects('pods').has(pod.uid)) soon(() => putPod(workload, pod));
          else {
            pod.gone = true;
            createPod(workload, slot);
          }
        }
      }
      for (const id of restored) if (!known.has(id)) soon(() => server.remove('pods', id));
    },
    spoil(by) {
      if (by.chance(0.3)) return putStranger(by);
      const workload = by.pick(workloads);
      const pod = by.pick(workload.slots);
      if (pod === undefined || pod.gone || isSettled) return;
      const before = unreadable.get(pod.uid)?.before ?? JSON.stringify(podObject(workload, pod));
      unreadable.set(pod.uid, { how: by.pick(SPOILT), before });
      putPod(workload, pod);
      time.after(by.between(2_000, 90_000), () => mend(workload, pod));
    },
  };
}

/** A client can tell which object it is. */
function isNamed(how: Spoilt | undefined): boolean {
  return how === undefined || how === 'nameless' || how === 'bottomless';
}

function podObject(workload: Workload, pod: PodLife): RawObject {
  const controller =
    workload.kind === 'Deployment' ? { kind: 'ReplicaSet', name: `${workload.name}-${workload.revision}` } : { kind: 'StatefulSet', name: workload.name };
  const isReady = pod.phase === 'running';
  const since = iso(Math.max(pod.createdMs, pod.startedMs, pod.endedMs));
  const condition = (type: string, holds: boolean) => ({ type, status: holds ? 'True' : 'False', lastTransitionTime: since });
  const isBound = pod.phase !== 'pending';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: pod.name,
      namespace: NAMESPACE,
      uid: pod.uid,
      creationTimestamp: iso(pod.createdMs),
      labels: { app: workload.name },
      ownerReferences: [{ apiVersion: 'apps/v1', ...controller, uid: workload.ownerUid, controller: true }],
      ...(pod.deletingMs > 0 && { deletionTimestamp: iso(pod.deletingMs), deletionGracePeriodSeconds: 30 }),
    },
    spec: {
      ...(isBound && { nodeName: pod.node }),
      restartPolicy: 'Always',
      containers: [{ name: 'app', image: pod.image, resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
    },
    status: {
      phase: pod.phase === 'pending' || pod.phase === 'creating' || pod.phase === 'pulling' ? 'Pending' : 'Running',
      conditions: [condition('PodScheduled', isBound), condition('Ready', isReady), condition('ContainersReady', isReady)],
      ...(isBound && { startTime: iso(pod.createdMs), containerStatuses: [containerStatus(pod)] }),
    },
  };
}

function containerStatus(pod: PodLife) {
  const terminated = { exitCode: pod.exitCode, reason: 'Error', startedAt: iso(pod.startedMs), finishedAt: iso(pod.endedMs) };
  const states = {
    pending: { waiting: { reason: 'ContainerCreating' } },
    creating: { waiting: { reason: 'ContainerCreating' } },
    running: { running: { startedAt: iso(pod.startedMs) } },
    terminated: { terminated },
    backoff: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container=app' } },
    pulling: { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${pod.image}"` } },
  };
  const lastState = pod.restarts > 0 ? { terminated } : {};
  return {
    name: 'app',
    image: pod.image,
    ready: pod.phase === 'running',
    started: pod.phase === 'running',
    restartCount: pod.restarts,
    state: states[pod.phase],
    lastState,
  };
}
