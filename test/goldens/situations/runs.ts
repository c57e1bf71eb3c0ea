/** Probes that fail, memory that is short, and pods that do not go. */
import type { RawObject } from '../../helpers/driver.ts';
import type { Fields, Situation } from '../../helpers/situations.ts';
import { at, container, event, looping, node, object, pod, statusOf } from '../../helpers/situations.ts';

const TIMEOUT = 'Get "http://10.0.0.7:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
const REFUSED = 'Get "http://10.0.0.7:80/": dial tcp 10.0.0.7:80: connect: connection refused';
const httpGet = { httpGet: { port: 80, path: '/' } };

/** A pod that was ready until twenty seconds ago. */
const unready = (name: string, more: object = {}): RawObject =>
  pod(
    name,
    {
      ...statusOf({ running: { startedAt: at(-590) } }, { started: true }),
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: 'False', reason: 'ContainersNotReady', lastTransitionTime: at(-20) })),
    },
    { containers: [container({ readinessProbe: httpGet, ...more })] },
  );
const fails = (about: RawObject, output: string, probe = 'Readiness', last = -5): RawObject =>
  event(about, 'Unhealthy', `${probe} probe failed: ${output}`, last, { ofContainer: 'app' });
const unreadyOf = (output: string, more: object = {}): readonly RawObject[] => [node('n1'), unready('web', more), fails(unready('web'), output)];

/** Killed by its liveness probe after runs this long, s. */
const killed = (lasted: number, output: string, more: object = {}, end: object = {}): readonly RawObject[] => {
  const web = looping(
    { exitCode: 137, reason: 'Error', startedAt: at(-10 - lasted), finishedAt: at(-10), ...end },
    { containers: [container({ livenessProbe: httpGet, ...more })] },
  );
  const kill = event(web, 'Killing', 'Container app failed liveness probe, will be restarted', -40, { ofContainer: 'app', type: 'Normal' });
  return [node('n1'), web, fails(web, output, 'Liveness', -41), kill];
};
/** Pods of other workloads on the node that are ready, and whose liveness probe does not get an answer in time. */
const neighbours = (output: string): readonly RawObject[] =>
  ['db', 'cache'].flatMap((name) => {
    const ready = pod(
      name,
      { ...statusOf({ running: { startedAt: at(-590) } }, { ready: true }), conditions: [{ type: 'Ready', status: 'True' }] },
      { containers: [container({ readinessProbe: httpGet, livenessProbe: httpGet })] },
    );
    return [ready, fails(ready, output, 'Liveness')];
  });

const oomed = (limit: object, ...others: readonly RawObject[]): readonly RawObject[] => [
  node('n1'),
  looping({ exitCode: 137, reason: 'OOMKilled', startedAt: at(-300), finishedAt: at(-30) }, { containers: [container({ resources: limit })] }),
  ...others,
];

/** On its way out for three minutes, which was its grace and more. */
const leaving = (status: Fields, spec: Fields = {}, metadata: Fields = {}): RawObject =>
  pod('web', status, spec, {
    deletionTimestamp: at(-150),
    deletionGracePeriodSeconds: 30,
    ...metadata,
  });
const alive = statusOf({ running: { startedAt: at(-500) } }, { ready: true });
const dead = statusOf({ terminated: { exitCode: 0, reason: 'Completed', finishedAt: at(-170) } });
/** Went by SIGKILL after this many seconds of a grace of as many, and is gone before it could be stuck. */
const usedUp = (grace: number): RawObject =>
  pod(
    'web',
    { ...statusOf({ terminated: { exitCode: 137, reason: 'Error', finishedAt: at(-10) } }) },
    {},
    { deletionTimestamp: at(-10), deletionGracePeriodSeconds: grace },
  );

export const RUNS: readonly Situation[] = [
  {
    cause: 'readiness_probe_failure/probe_http_status',
    objects: unreadyOf('HTTP probe failed with statuscode: 503'),
    alike: [
      node('n1'),
      fails(pod('web'), 'HTTP probe failed with statuscode: 503'),
      pod(
        'web',
        { ...statusOf({ running: { startedAt: at(-590) } }, { ready: true }), conditions: [{ type: 'Ready', status: 'True' }] },
        { containers: [container({ readinessProbe: httpGet })] },
      ),
    ],
    alikeIs: '',
  },
  {
    cause: 'readiness_probe_failure/node_overloaded',
    objects: [...unreadyOf(TIMEOUT), ...neighbours(TIMEOUT)],
    // One other workload is not enough.
    alike: [...unreadyOf(TIMEOUT), ...neighbours(TIMEOUT).slice(0, 2)],
    alikeIs: 'readiness_probe_failure/probe_timeout',
  },
  {
    cause: 'readiness_probe_failure/cpu_starved',
    objects: unreadyOf(TIMEOUT, { resources: { limits: { cpu: '50m' } } }),
    alike: unreadyOf(TIMEOUT, { resources: { limits: { cpu: '500m' } } }),
    alikeIs: 'readiness_probe_failure/probe_timeout',
  },
  {
    cause: 'liveness_probe_failure/probe_timeout',
    objects: killed(400, TIMEOUT),
    alike: killed(400, TIMEOUT, { resources: { limits: { memory: '64Mi' } } }, { reason: 'OOMKilled' }),
    alikeIs: 'oom_killed/container_limit',
  },
  {
    cause: 'liveness_probe_failure/probe_misconfigured',
    objects: killed(35, REFUSED, { ports: [{ containerPort: 8080 }] }),
    // It did pass: the application stopped to listen.
    alike: killed(4_000, REFUSED, { ports: [{ containerPort: 8080 }] }),
    alikeIs: 'liveness_probe_failure/probe_connection_refused',
  },
  {
    cause: 'liveness_probe_failure/node_overloaded',
    objects: [...killed(400, TIMEOUT), ...neighbours(TIMEOUT)],
    alike: [...killed(400, TIMEOUT), ...neighbours(REFUSED)],
    alikeIs: 'liveness_probe_failure/probe_timeout',
  },
  {
    cause: 'liveness_probe_failure/cpu_starved',
    objects: killed(400, TIMEOUT, { resources: { limits: { cpu: '100m' } } }),
    alike: killed(400, TIMEOUT, { resources: { limits: { cpu: '101m' } } }),
    alikeIs: 'liveness_probe_failure/probe_timeout',
  },
  {
    cause: 'oom_killed/node_memory',
    objects: oomed({ limits: { memory: '64Mi' } }, event(node('n1'), 'SystemOOM', 'System OOM encountered, victim process: app, pid: 4711', -31, { count: 1 })),
    alike: oomed(
      { limits: { memory: '64Mi' } },
      event(node('n1'), 'SystemOOM', 'System OOM encountered, victim process: app, pid: 4711', -3_000, { count: 1 }),
    ),
    alikeIs: 'oom_killed/container_limit',
  },
  {
    cause: 'stuck_terminating/kill_failed',
    objects: [
      node('n1'),
      leaving(alive),
      event(leaving(alive), 'FailedKillPod', 'error killing pod: failed to "KillContainer" for "app" with KillContainerError: context deadline exceeded'),
    ],
    alike: [node('n1'), leaving(alive, {}, { deletionTimestamp: at(1_500), deletionGracePeriodSeconds: 1_600 })],
    alikeIs: '',
  },
  {
    cause: 'stuck_terminating/ignored_signal',
    objects: [node('n1'), usedUp(60)],
    alike: [node('n1'), usedUp(59)],
    alikeIs: '',
    lasts: 40,
  },
  {
    cause: 'stuck_terminating/node_failure',
    objects: [leaving(alive), node('n1', { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: at(-400) }] })],
    // It is lost, but the pod ended before.
    alike: [
      leaving(dead, {}, { finalizers: ['example.com/hold'] }),
      node('n1', { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: at(-400) }] }),
    ],
    alikeIs: 'stuck_terminating/finalizer',
    besides: 'node_lost/node_unreachable',
  },
  {
    cause: 'stuck_terminating/volume_detach',
    objects: [
      node('n1', { volumesInUse: ['kubernetes.io/csi/ebs.csi.aws.com^vol-1'] }),
      leaving(dead, { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] }),
      object('PersistentVolumeClaim', 'data', { spec: { volumeName: 'vol-1' }, status: { phase: 'Bound' } }),
    ],
    alike: [node('n1'), leaving(dead, {}, { finalizers: ['example.com/hold'] })],
    alikeIs: 'stuck_terminating/finalizer',
  },
];
