/**
 * Errors as clusters in the wild show them, through `explain`: each in every place and wording in which the kubelet would show it,
 * because the same error is read from a status, from an Event, from a combined one, or from what is left of it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { explain } from '../../../processor/explain.ts';
import { at, NOW_MS } from '../../helpers/view.ts';

type Raw = Readonly<Record<string, unknown>>;

/** The columns of the table; `#` begins a comment, \n and \\ are escaped. */
function rows(name: string): string[][] {
  const text = readFileSync(new URL(`./wild/${name}.txt`, import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.split('\t').map((cell) => cell.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c))));
}

const POD = { kind: 'Pod', namespace: 'shop', name: 'web-7d9c-abcde', uid: 'pod-1' };

function pod(container: Raw, state: Raw, lastState: Raw = {}, restartCount = 0): Raw {
  const status = { name: 'app', ready: false, restartCount, state, lastState };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: POD.name, namespace: POD.namespace, uid: POD.uid, resourceVersion: '1', creationTimestamp: at(-900) },
    spec: { nodeName: 'node-a', containers: [{ name: 'app', image: 'registry.example.com/shop/web:1', ...container }] },
    status: { phase: 'Pending', startTime: at(-900), containerStatuses: [status] },
  };
}

let events = 0;
/** `message` as the API server keeps it: at most 1 kB. */
function event(reason: string, message: string, rest: Raw = {}): Raw {
  events++;
  const note = message.length > 1_024 ? `${message.slice(0, 1_021)}...` : message;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e${events}`, namespace: POD.namespace, uid: `e${events}`, resourceVersion: String(100 + events) },
    involvedObject: { ...POD, fieldPath: 'spec.containers{app}' },
    reason,
    message: note,
    type: 'Warning',
    source: { component: 'kubelet' },
    firstTimestamp: at(-600),
    lastTimestamp: at(-20),
    count: 5,
    ...rest,
  };
}

const waiting = (reason: string, message?: string): Raw => ({ waiting: { reason, ...(message !== undefined && { message }) } });

/** Every way in which a failed pull shows: status alone, up to 1.31, since 1.32, Events before the pod, without message, several credentials. */
function pullForms(image: string, error: string): readonly (readonly Raw[])[] {
  const failed = event('Failed', `Failed to pull image "${image}": ${error}`);
  const backOff = event('BackOff', `Back-off pulling image "${image}"`, { type: 'Normal', lastTimestamp: at(-5) });
  const noise = [event('Failed', 'Error: ErrImagePull'), backOff, event('Failed', 'Error: ImagePullBackOff', { lastTimestamp: at(-5) })];
  const silent = waiting('ImagePullBackOff', `Back-off pulling image "${image}"`);
  return [
    [pod({ image }, waiting('ErrImagePull', error))],
    [pod({ image }, silent), failed, ...noise],
    [pod({ image }, waiting('ImagePullBackOff', `Back-off pulling image "${image}": ErrImagePull: ${error}`)), ...noise],
    [event('Failed', `(combined from similar events): Failed to pull image "${image}": ${error}`), ...noise, pod({ image }, silent)],
    [pod({ image }, waiting('ImagePullBackOff')), failed],
    [pod({ image }, waiting('ErrImagePull', `[${error}, ${error}]`))],
  ];
}

/** Status with and without Event, an Event alone, with and without fieldPath; what starts late also as the end of a run that never was, by containerd and by Docker. */
function startForms(reason: string, container: Raw, error: string): readonly (readonly Raw[])[] {
  const failed = event('Failed', `Error: ${error}`);
  const forms = [
    [pod(container, waiting(reason, error))],
    [pod(container, waiting(reason, error)), event('Pulled', 'Container image already present on machine', { type: 'Normal' }), failed],
    [pod(container, waiting(reason)), failed],
    [pod(container, waiting(reason)), { ...failed, involvedObject: POD }],
  ];
  if (reason !== 'RunContainerError') return forms;
  const ended = (by: string, exitCode: number): Raw => ({ terminated: { reason: by, exitCode, message: error, finishedAt: at(-30) } });
  const looping = waiting('CrashLoopBackOff', 'back-off 2m40s restarting failed container=app pod=web_shop(pod-1)');
  return [
    ...forms,
    [pod(container, looping, ended('StartError', 128), 5)],
    [pod(container, ended('StartError', 128), {}, 3)],
    [pod(container, looping, ended('ContainerCannotRun', 127), 4)],
  ];
}

/** About the pod as a whole: alone, combined and before the pod, and followed by the kubelet's summary of what it awaits. */
function podForms(reason: string, container: Raw, error: string): readonly (readonly Raw[])[] {
  const held = pod(container, waiting('ContainerCreating'));
  const whole = { involvedObject: POD };
  const forms = [
    [held, event(reason, error, whole)],
    [event(reason, `(combined from similar events): ${error}`, whole), held],
  ];
  if (!/^Failed(?:Mount|AttachVolume|MapVolume)$/.test(reason)) return forms;
  const awaited =
    'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data kube-api-access-x]: timed out waiting for the condition';
  return [...forms, [held, event(reason, error, { ...whole, lastTimestamp: at(-60) }), event('FailedMount', awaited, { ...whole, lastTimestamp: at(-10) })]];
}

function findings(items: readonly Raw[]): string[] {
  const signals = explain(items, NOW_MS).objects.flatMap((object) => object.findings.map(({ signal }) => signal));
  return signals.map(({ scenario, cause, detail }) => `${scenario}/${cause}${detail === '' ? '' : `:${detail}`}`);
}

const shown = (text: string): string => text.replace(/\s+/g, ' ').slice(-140);

for (const [cause = '', image = '', error = ''] of rows('pulls')) {
  test(`${cause}: ${shown(error)}`, () => {
    for (const form of pullForms(image, error)) assert.deepEqual(findings(form), [`image_pull_failure/${cause}`]);
  });
}

for (const [verdict = '', where = '', memory = '-', error = ''] of [...rows('starts'), ...rows('volumes')]) {
  test(`${verdict}: ${shown(error)}`, () => {
    const container = memory === '-' ? {} : { resources: { limits: { memory } } };
    const forms = where.startsWith('event ') ? podForms(where.slice('event '.length), container, error) : startForms(where, container, error);
    for (const form of forms) assert.deepEqual(findings(form), [verdict]);
  });
}
