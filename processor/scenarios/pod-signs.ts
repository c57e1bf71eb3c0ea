/**
 * What a pod shows at a glance. A scenario says which of it must be there before its rule can find anything (Scenario.concerns), so that
 * of a pod that changed only the rules are asked that this may concern.
 */
import type { ContainerStatus, Pod } from '../../collector/objects.ts';
import { conditionOf, isBound } from './conditions.ts';

export interface PodSigns {
  readonly bound: boolean;
  /** Its node is in the table. */
  readonly onNode: boolean;
  /** It is being deleted, or was. */
  readonly leaving: boolean;
  /** Phase Failed. */
  readonly failed: boolean;
  /** status.reason says something of the pod as a whole. */
  readonly named: boolean;
  /** A container waits, or nothing is known of one. */
  readonly waits: boolean;
  /** A container of the app or of its initialisation has ended at least once. */
  readonly ran: boolean;
  /** It runs, is to go on running, and is not ready. */
  readonly unready: boolean;
  /** It has init containers and is not past them. */
  readonly initializes: boolean;
  /** A container waits in CrashLoopBackOff. */
  readonly backsOff: boolean;
  readonly hasPreStop: boolean;
  readonly hasPostStart: boolean;
}

/**
 * The signs of a pod; `onNode` is for whoever has the table. undefined of an object in which nothing is where it belongs: every rule is
 * asked then, and fails by itself.
 */
export function signsOf(pod: Pod, onNode: boolean): PodSigns | undefined {
  try {
    return readSigns(pod, onNode);
  } catch {
    return undefined;
  }
}

function readSigns(pod: Pod, onNode: boolean): PodSigns {
  const { metadata, spec, status } = pod;
  const { phase, reason = '', containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status;
  const leaving = metadata.deletionTimestamp !== undefined;
  return {
    bound: isBound(pod),
    onNode,
    leaving,
    failed: phase === 'Failed',
    named: reason !== '',
    waits: containerStatuses.length === 0 || containerStatuses.some(waits) || initContainerStatuses.some(waits) || ephemeralContainerStatuses.some(waits),
    backsOff: containerStatuses.some(backsOff) || initContainerStatuses.some(backsOff),
    ran: containerStatuses.some(hasEnded) || initContainerStatuses.some(hasEnded),
    unready: phase === 'Running' && !leaving && conditionOf(pod, 'Ready')?.status !== 'True',
    initializes: initContainerStatuses.length > 0 && conditionOf(pod, 'Initialized')?.status !== 'True',
    hasPreStop:
      spec.containers.some(({ lifecycle }) => lifecycle?.preStop !== undefined) ||
      (spec.initContainers ?? []).some(({ lifecycle }) => lifecycle?.preStop !== undefined),
    hasPostStart: spec.containers.some(({ lifecycle }) => lifecycle?.postStart !== undefined),
  };
}

function waits({ state }: ContainerStatus): boolean {
  return state?.waiting !== undefined || (state?.running === undefined && state?.terminated === undefined);
}

const backsOff = ({ state }: ContainerStatus): boolean => state?.waiting?.reason === 'CrashLoopBackOff';

/** Ended now or before, as far as its status says. */
export function hasEnded({ state, lastState, restartCount }: ContainerStatus): boolean {
  return (restartCount ?? 0) > 0 || state?.terminated !== undefined || lastState?.terminated !== undefined;
}
