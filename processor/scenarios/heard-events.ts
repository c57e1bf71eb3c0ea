/**
 * Which Events can change what a rule says of a pod. Most repeat what the pod's status shows already, and the pod is not judged again
 * for those. Only what is listed here goes unheard: an Event that nobody knows is heard.
 */
import type { ContainerStatus, Event, Pod } from '../../collector/objects.ts';
import { CALM } from './start-failures.ts';

/** The steps of a start: read while one is under way, and of a pod on its way out, where the last Event may be all there is. */
const STEPS: ReadonlySet<string> = new Set(['Pulling', 'Pulled', 'Created', 'Started']);
/** Waiting reasons that say what the Events of a back-off say. */
const BACKING_OFF: ReadonlySet<string> = new Set(['CrashLoopBackOff', 'ImagePullBackOff']);
/** The kubelet's Event beside that of the back-off; `Error: ErrImagePull` counts a failed pull. */
const NAMES_NOTHING = /^Error: ImagePullBackOff$/;

/** Whether a rule may say something else of the pod because of this Event. */
export function isHeard(pod: Pod, { reason, note, regarding }: Event): boolean {
  const isBackOff = reason === 'BackOff' || (reason === 'Failed' && NAMES_NOTHING.test(note));
  if (!isBackOff && !STEPS.has(reason) && reason !== 'Scheduled') return true;
  if (pod.metadata.deletionTimestamp !== undefined) return true;
  // The pod itself says that it is bound, and no rule reads when.
  if (reason === 'Scheduled') return false;
  return isStarting(pod) || (isBackOff && !isBackingOff(pod, regarding.fieldPath ?? ''));
}

const statusesOf = ({ status }: Pod): readonly ContainerStatus[] => [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];

const isCreating = ({ state }: ContainerStatus): boolean =>
  state?.running === undefined && state?.terminated === undefined && CALM.includes(state?.waiting?.reason ?? '');

/** Something of it is being created, or nothing runs and nothing has failed. */
function isStarting(pod: Pod): boolean {
  const statuses = statusesOf(pod);
  const began = statuses.some((status) => status.state?.running !== undefined || status.state?.waiting !== undefined);
  return !began || statuses.some(isCreating) || (pod.status.ephemeralContainerStatuses ?? []).some(isCreating);
}

function isBackingOff(pod: Pod, fieldPath: string): boolean {
  return statusesOf(pod).some(({ name, state }) => fieldPath.endsWith(`{${name}}`) && BACKING_OFF.has(state?.waiting?.reason ?? ''));
}
