/** Rows with defaults, for the suites of the api. */
import type {
  ClusterRow,
  CoverageRow,
  DeadLetterRow,
  DisruptionRow,
  EventRow,
  IncidentMemberRow,
  IncidentRow,
  PodChangeRow,
  SessionRow,
  TimelineRow,
} from '../../sql/rows.ts';
import { DAY, HOUR, MINUTE, NOW } from './harness.ts';

export function cluster(row: Partial<ClusterRow> = {}): ClusterRow {
  return {
    cluster: 'prod',
    clusterUid: 'uid-prod',
    serverVersion: 'v1.34.1',
    firstRecordTimeMs: NOW - 30 * DAY,
    lastRecordTimeMs: NOW - 2_000,
    lastHeartbeatTimeMs: NOW - 2_000,
    resources: JSON.stringify([{ resource: 'pods', scope: '', state: 'in_sync', reason: '' }]),
    ...row,
  };
}

export function incident(row: Partial<IncidentRow> = {}): IncidentRow {
  return {
    cluster: 'prod',
    id: 'i1',
    scenario: 'oom_killed',
    cause: 'container_limit',
    detail: '',
    flags: [],
    confidence: 'certain',
    severity: 'warning',
    state: 'open',
    resolution: '',
    subjectKind: 'Deployment',
    subjectNamespace: 'shop',
    subjectName: 'web',
    subjectContainer: 'app',
    image: '',
    registry: '',
    node: '',
    claim: '',
    pods: 1,
    failingPods: 1,
    impact: JSON.stringify({ desired: 3, ready: 2, affected: 1 }),
    openedTimeMs: NOW - HOUR,
    updatedTimeMs: NOW - HOUR,
    resolvedTimeMs: 0,
    firstSymptomTimeMs: NOW - HOUR - MINUTE,
    flaps: 0,
    summary: 'container app of Deployment shop/web was killed at its memory limit',
    evidence: JSON.stringify([{ kind: 'field', object: 'Pod shop/web-1', path: 'status', value: 'OOMKilled', timeMs: NOW - HOUR }]),
    suspectedChange: '',
    supersededBy: '',
    parent: '',
    ...row,
  };
}

export function member(row: Partial<IncidentMemberRow> = {}): IncidentMemberRow {
  return {
    cluster: 'prod',
    incidentId: 'i1',
    openedTimeMs: NOW - HOUR,
    podNamespace: 'shop',
    podName: 'web-1',
    podUid: 'pod-1',
    node: 'node-1',
    firstTimeMs: NOW - HOUR,
    lastTimeMs: NOW - HOUR,
    state: 'failing',
    ...row,
  };
}

export function timelineEntry(row: Partial<TimelineRow> = {}): TimelineRow {
  return { cluster: 'prod', incidentId: 'i1', openedTimeMs: NOW - HOUR, seq: 0, timeMs: NOW - HOUR, kind: 'opened', text: 'opened', ...row };
}

export function podChange(row: Partial<PodChangeRow> = {}): PodChangeRow {
  return {
    cluster: 'prod',
    namespace: 'shop',
    name: 'web-1',
    uid: 'pod-1',
    observedTimeMs: NOW - HOUR,
    resourceVersion: '100',
    change: 'MODIFIED',
    phase: 'Running',
    status: 'Running',
    ready: '1/1',
    restarts: 0,
    node: 'node-1',
    workloadKind: 'Deployment',
    workloadName: 'web',
    containers: JSON.stringify([{ name: 'app', ready: true }]),
    conditions: '',
    createdTimeMs: NOW - 2 * DAY,
    deletionTimeMs: 0,
    specHash: 'abcdef0123456789',
    spec: '',
    ...row,
  };
}

export function event(row: Partial<EventRow> = {}): EventRow {
  return {
    cluster: 'prod',
    namespace: 'shop',
    uid: 'event-1',
    regardingKind: 'Pod',
    regardingName: 'web-1',
    regardingUid: 'pod-1',
    fieldPath: 'spec.containers{app}',
    type: 'Warning',
    reason: 'BackOff',
    note: 'Back-off restarting failed container',
    component: 'kubelet',
    firstTimeMs: NOW - HOUR,
    lastTimeMs: NOW - MINUTE,
    count: 7,
    ...row,
  };
}

export function blind(row: Partial<CoverageRow> = {}): CoverageRow {
  return { cluster: 'prod', resource: 'pods', scope: '', fromTimeMs: NOW - 3 * HOUR, toTimeMs: NOW - 2 * HOUR, reason: 'stalled', ...row };
}

export function session(row: Partial<SessionRow> = {}): SessionRow {
  return {
    cluster: 'prod',
    session: 's1',
    run: 'r1',
    resource: 'pods',
    scope: '',
    firstTimeMs: NOW - 2 * HOUR,
    lastTimeMs: NOW - 2_000,
    received: 100,
    suppressed: 30,
    rejected: 1,
    appended: 69,
    applied: 60,
    duplicate: 8,
    deadLettered: 1,
    ...row,
  };
}

export function disruption(row: Partial<DisruptionRow> = {}): DisruptionRow {
  return {
    cluster: 'prod',
    namespace: 'shop',
    podName: 'web-1',
    podUid: 'pod-1',
    node: 'node-1',
    workloadKind: 'Deployment',
    workloadName: 'web',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    timeMs: NOW - HOUR,
    ...row,
  };
}

export function deadLetter(row: Partial<DeadLetterRow> = {}): DeadLetterRow {
  return {
    log: 'log-1',
    partition: 0,
    offset: 812n,
    part: 'record',
    cluster: 'prod',
    timeMs: NOW - HOUR,
    code: 'bad_shape',
    reason: 'type: invalid',
    payload: '{"v":1}',
    ...row,
  };
}
