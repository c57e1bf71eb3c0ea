/** One raw object of every resource with a planted secret wherever one could hide: none may get past the projection (design D6). */
import type { Resource } from '../../collector/objects.ts';

/** In every planted secret, and nowhere else. */
export const CANARY = 'CANARY7f3a';

const METADATA = {
  name: 'planted',
  namespace: 'shop',
  uid: 'uid-planted',
  resourceVersion: '41',
  labels: { app: 'web' },
  annotations: {
    'kubectl.kubernetes.io/last-applied-configuration': `{"env":[{"name":"A","value":"${CANARY}"}]}`,
    'example.com/note': CANARY,
    'kubectl.kubernetes.io/restartedAt': `token=${CANARY}`,
  },
  managedFields: [{ manager: CANARY, fieldsV1: { [`f:${CANARY}`]: {} } }],
  selfLink: CANARY,
};

const PROBE = {
  exec: { command: ['check', '--token', CANARY, `PASSWORD=${CANARY}`] },
  httpGet: { path: `/health?access_token=${CANARY}`, port: 80, httpHeaders: [{ name: 'Authorization', value: CANARY }] },
  periodSeconds: 10,
};
const CONTAINER = {
  name: 'app',
  image: 'registry.example/app:1',
  command: ['sh', '-c', `curl -u joe:${CANARY} http://x; psql postgres://u:${CANARY}@db/x`],
  args: [`--api-key=${CANARY}`, '--password', CANARY],
  env: [
    { name: 'PLAIN', value: CANARY },
    { name: 'REF', value: '', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
    { name: 'ODD', value: { nested: CANARY } },
  ],
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  lifecycle: { postStart: PROBE, preStop: PROBE },
};
const POD_SPEC = {
  containers: [CONTAINER],
  initContainers: [{ ...CONTAINER, name: 'init' }],
  ephemeralContainers: [{ ...CONTAINER, name: 'debug' }],
  volumes: [
    { name: 'csi', csi: { driver: 'csi.example', volumeAttributes: { password: CANARY, note: `pwd=${CANARY}` }, nodePublishSecretRef: { name: 'db' } } },
    { name: 'flex', flexVolume: { driver: 'x/y', options: { accountKey: CANARY } } },
    { name: 'git', gitRepo: { repository: `https://joe:${CANARY}@git.example/x` } },
    { name: 'own', ephemeral: { volumeClaimTemplate: { metadata: { annotations: { 'example.com/note': CANARY } }, spec: {} } } },
  ],
  futureField: { apiToken: CANARY, list: [{ deep: `Authorization: Bearer ${CANARY}` }], managedFields: [CANARY] },
};
const MESSAGE = `login failed: password=${CANARY} at https://u:${CANARY}@x/ with Authorization: Bearer ${CANARY}`;
const CONDITIONS = [{ type: 'Ready', status: 'False', reason: 'Bad', message: MESSAGE, unknown: CANARY }];
const STATE = { waiting: { reason: 'X', message: MESSAGE }, terminated: { exitCode: 1, message: MESSAGE, extra: CANARY } };
const STATUSES = [{ name: 'app', state: STATE, lastState: STATE, extra: CANARY }];
const WORKLOAD = {
  metadata: METADATA,
  spec: {
    template: { metadata: { labels: { app: 'web' }, annotations: METADATA.annotations, uid: CANARY }, spec: POD_SPEC },
    jobTemplate: { metadata: { annotations: METADATA.annotations }, spec: { template: { spec: POD_SPEC }, extra: CANARY } },
    volumeClaimTemplates: [{ metadata: { name: 'data', annotations: METADATA.annotations }, spec: { dataSource: { name: CANARY } } }],
    extra: CANARY,
  },
  status: { conditions: CONDITIONS, extra: CANARY },
};
const NAME_ONLY = {
  metadata: { ...METADATA, labels: { token: CANARY } },
  data: { key: CANARY },
  stringData: { key: CANARY },
  secrets: [{ name: CANARY }],
  type: CANARY,
};

export const SECRET_OBJECTS: { readonly [R in Resource]: Readonly<Record<string, unknown>> } = {
  namespaces: { metadata: METADATA, spec: { finalizers: [CANARY] }, status: { phase: 'Active', conditions: CONDITIONS } },
  nodes: {
    metadata: METADATA,
    spec: { providerID: 'x://1', configSource: CANARY, podCIDR: CANARY },
    status: {
      conditions: CONDITIONS,
      images: [{ names: [CANARY] }],
      nodeInfo: { kubeletVersion: 'v1', machineID: CANARY, bootID: CANARY, systemUUID: CANARY },
    },
  },
  priorityclasses: { metadata: METADATA, value: 1, description: CANARY },
  storageclasses: { metadata: METADATA, provisioner: 'x', parameters: { secret: CANARY, any: CANARY }, mountOptions: [CANARY] },
  persistentvolumes: {
    metadata: METADATA,
    spec: { csi: { driver: 'csi.example', volumeHandle: CANARY, volumeAttributes: { any: CANARY } }, nfs: { server: CANARY }, mountOptions: [CANARY] },
    status: { phase: 'Failed', message: MESSAGE },
  },
  csinodes: { metadata: METADATA, spec: { drivers: [{ name: 'x', nodeID: CANARY, allocatable: { count: 3, extra: CANARY } }] } },
  persistentvolumeclaims: { metadata: METADATA, spec: { dataSource: { name: CANARY }, extra: CANARY }, status: { phase: 'Bound', conditions: CONDITIONS } },
  resourcequotas: { metadata: METADATA, spec: { hard: { pods: '1' }, extra: CANARY }, status: { used: { pods: '1' }, extra: CANARY } },
  limitranges: { metadata: METADATA, spec: { limits: [{ type: 'Pod', extra: CANARY }] } },
  poddisruptionbudgets: {
    metadata: METADATA,
    spec: { minAvailable: 1, extra: CANARY },
    status: { disruptedPods: { [CANARY]: CANARY }, conditions: CONDITIONS },
  },
  deployments: WORKLOAD,
  statefulsets: WORKLOAD,
  daemonsets: WORKLOAD,
  cronjobs: WORKLOAD,
  jobs: WORKLOAD,
  replicasets: WORKLOAD,
  horizontalpodautoscalers: {
    metadata: METADATA,
    spec: { maxReplicas: 3, metrics: [{ external: CANARY }] },
    status: { currentMetrics: [CANARY], conditions: CONDITIONS },
  },
  configmaps: NAME_ONLY,
  secrets: NAME_ONLY,
  serviceaccounts: NAME_ONLY,
  pods: {
    metadata: METADATA,
    spec: POD_SPEC,
    status: {
      message: MESSAGE,
      conditions: CONDITIONS,
      containerStatuses: STATUSES,
      initContainerStatuses: STATUSES,
      ephemeralContainerStatuses: STATUSES,
      extra: CANARY,
    },
  },
  events: {
    metadata: METADATA,
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'u', resourceVersion: CANARY },
    reason: 'Failed',
    message: MESSAGE,
    source: { component: 'kubelet', host: CANARY },
    reportingInstance: CANARY,
  },
};
