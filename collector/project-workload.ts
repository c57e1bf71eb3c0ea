/** The controllers of pods. Pod templates are treated like pod specs; status keeps the counters and conditions. */
import type { Workload } from './objects.ts';
import { anyObject, conditions, filled, flag, labelSelector, list, number, numberOrText, type Raw, type Reader, shape, text } from './project-fields.ts';
import { podTemplate } from './project-pod-spec.ts';
import { claimSpec } from './project-storage.ts';

type Kept = Pick<Workload, 'spec' | 'status'>;
type Table = Readonly<Record<string, Reader<NonNullable<unknown>>>>;

function workload(specFields: Table, statusFields: Table): (raw: Raw) => Kept {
  const spec = shape<Record<string, unknown>>(specFields);
  const status = shape<Record<string, unknown>>({ observedGeneration: number, ...statusFields, conditions });
  return (raw) => ({ spec: spec(raw['spec']) ?? {}, status: status(raw['status']) ?? {} });
}

const updateStrategy = shape<{ type?: string; rollingUpdate?: object }>({
  type: filled,
  rollingUpdate: shape<{ maxSurge?: number | string; maxUnavailable?: number | string; partition?: number }>({
    maxSurge: numberOrText,
    maxUnavailable: numberOrText,
    partition: number,
  }),
});

const scale: Table = { replicas: number, minReadySeconds: number, selector: labelSelector, template: podTemplate };
const replicaCounts: Table = { replicas: number, readyReplicas: number, availableReplicas: number, terminatingReplicas: number };

export const projectDeployment = workload(
  { ...scale, paused: flag, strategy: updateStrategy, progressDeadlineSeconds: number, revisionHistoryLimit: number },
  { ...replicaCounts, updatedReplicas: number, unavailableReplicas: number, collisionCount: number },
);

export const projectReplicaSet = workload(scale, { ...replicaCounts, fullyLabeledReplicas: number });

const claimTemplate = shape<{ metadata?: object; spec?: object }>({
  metadata: shape<{ name?: string }>({ name: filled }),
  spec: claimSpec,
});

export const projectStatefulSet = workload(
  {
    ...scale,
    serviceName: filled,
    podManagementPolicy: filled,
    updateStrategy,
    revisionHistoryLimit: number,
    ordinals: shape<{ start?: number }>({ start: number }),
    persistentVolumeClaimRetentionPolicy: shape<{ whenDeleted?: string; whenScaled?: string }>({ whenDeleted: filled, whenScaled: filled }),
    volumeClaimTemplates: list(claimTemplate),
  },
  { ...replicaCounts, currentReplicas: number, updatedReplicas: number, currentRevision: filled, updateRevision: filled, collisionCount: number },
);

export const projectDaemonSet = workload(
  { selector: labelSelector, template: podTemplate, updateStrategy, minReadySeconds: number, revisionHistoryLimit: number },
  {
    currentNumberScheduled: number,
    desiredNumberScheduled: number,
    numberMisscheduled: number,
    numberReady: number,
    numberAvailable: number,
    numberUnavailable: number,
    updatedNumberScheduled: number,
    collisionCount: number,
  },
);

const jobSpec: Table = {
  parallelism: number,
  completions: number,
  completionMode: filled,
  backoffLimit: number,
  backoffLimitPerIndex: number,
  maxFailedIndexes: number,
  activeDeadlineSeconds: number,
  ttlSecondsAfterFinished: number,
  suspend: flag,
  manualSelector: flag,
  managedBy: filled,
  podReplacementPolicy: filled,
  podFailurePolicy: anyObject,
  successPolicy: anyObject,
  selector: labelSelector,
  template: podTemplate,
};

export const projectJob = workload(jobSpec, {
  active: number,
  ready: number,
  succeeded: number,
  failed: number,
  terminating: number,
  startTime: filled,
  completionTime: filled,
  completedIndexes: filled,
  failedIndexes: filled,
});

const jobReference = shape<{ name?: string; namespace?: string; uid?: string }>({ name: text, namespace: text, uid: text });

export const projectCronJob = workload(
  {
    schedule: filled,
    timeZone: filled,
    suspend: flag,
    concurrencyPolicy: filled,
    startingDeadlineSeconds: number,
    successfulJobsHistoryLimit: number,
    failedJobsHistoryLimit: number,
    jobTemplate: shape<{ spec?: object }>({ spec: shape<Record<string, unknown>>(jobSpec) }),
  },
  // Not a counter here, as in a Job: the Jobs that run.
  { active: list(jobReference), lastScheduleTime: filled, lastSuccessfulTime: filled },
);
