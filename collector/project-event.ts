/** Events of core/v1. Two recorders write them: the legacy one (kubelet, controllers) fills firstTimestamp, lastTimestamp and count; the one of events.k8s.io (scheduler) eventTime and series. */
import type { Event } from './objects.ts';
import { filled, freeText, isRaw, number, type Raw, text } from './project-fields.ts';

export function projectEvent(raw: Raw): Omit<Event, 'kind' | 'apiVersion' | 'metadata'> {
  const source = object(raw['source']);
  const series = object(raw['series']);
  const eventTime = filled(raw['eventTime']);
  const created = filled(object(raw['metadata'])['creationTimestamp']);
  const action = filled(raw['action']);
  const firstTime = eventTime ?? filled(raw['firstTimestamp']) ?? created;
  const lastTime = filled(series['lastObservedTime']) ?? filled(raw['lastTimestamp']) ?? eventTime ?? created;
  return {
    regarding: reference(object(raw['involvedObject'])),
    ...(isRaw(raw['related']) && { related: reference(raw['related']) }),
    type: text(raw['type']) ?? '',
    reason: text(raw['reason']) ?? '',
    note: (freeText(raw['message']) ?? '').replace(PRINTED_OBJECT, ''),
    component: filled(source['component']) ?? text(raw['reportingComponent']) ?? '',
    ...(action !== undefined && { action }),
    ...(firstTime !== undefined && { firstTime }),
    ...(lastTime !== undefined && { lastTime }),
    // A scheduler's first occurrence has neither.
    count: Math.max(1, Math.trunc(number(series['count']) ?? number(raw['count']) ?? 1)),
  };
}

/** OpenKruise and its kin print the whole object that they could not create after the error, with the values of its environment. */
const PRINTED_OBJECT = /, (?:pod|pvc): ?\{"[\s\S]*$/;

const NOTHING: Raw = {};

function object(value: unknown): Raw {
  return isRaw(value) ? value : NOTHING;
}

function reference(raw: Raw): Event['regarding'] {
  const fieldPath = filled(raw['fieldPath']);
  return {
    kind: text(raw['kind']) ?? '',
    namespace: text(raw['namespace']) ?? '',
    name: text(raw['name']) ?? '',
    uid: text(raw['uid']) ?? '',
    ...(fieldPath !== undefined && { fieldPath }),
  };
}
