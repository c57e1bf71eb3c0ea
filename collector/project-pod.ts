/** Pods: the spec as in project-pod-spec.ts, and of the status what rules read. */
import type { ContainerState, ContainerStatus, Pod, PodStatus } from './objects.ts';
import { conditions, filled, flag, freeText, list, number, quantities, type Raw, type Reader, shape, text } from './project-fields.ts';
import { podSpec, resourceRequirements } from './project-pod-spec.ts';

const containerState = shape<ContainerState>({
  waiting: shape<NonNullable<ContainerState['waiting']>>({ reason: filled, message: freeText }),
  running: shape<NonNullable<ContainerState['running']>>({ startedAt: filled }),
  terminated: shape<NonNullable<ContainerState['terminated']>>({
    exitCode: number,
    signal: number,
    reason: filled,
    message: freeText,
    startedAt: filled,
    finishedAt: filled,
    containerID: filled,
  }),
});

const containerStatuses = list(
  shape<ContainerStatus>(
    {
      name: filled,
      image: text,
      imageID: text,
      containerID: filled,
      ready: flag,
      started: flag,
      restartCount: number,
      state: containerState,
      lastState: containerState,
      allocatedResources: quantities,
      resources: resourceRequirements,
    },
    'name',
  ),
);

export const podStatus: Reader<PodStatus> = shape<PodStatus>({
  phase: filled,
  reason: filled,
  message: freeText,
  startTime: filled,
  podIP: filled,
  hostIP: filled,
  qosClass: filled,
  nominatedNodeName: filled,
  resize: filled,
  conditions,
  containerStatuses,
  initContainerStatuses: containerStatuses,
  ephemeralContainerStatuses: containerStatuses,
});

export function projectPod(raw: Raw): Pick<Pod, 'spec' | 'status'> {
  return { spec: podSpec(raw['spec']) ?? { containers: [] }, status: podStatus(raw['status']) ?? {} };
}
