/** Whole situations of the wild, as `explain` and as the core see them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Resource } from '../../../collector/objects.ts';
import { explain } from '../../../processor/explain.ts';
import type { Driver, RawObject } from '../../helpers/driver.ts';
import { createDriver, START_MS } from '../../helpers/driver.ts';
import type { Raw, Situation } from '../../helpers/pasted.ts';
import { situationsOf } from '../../helpers/pasted.ts';

const FOLDER = new URL('./wild/pasted/', import.meta.url);
const at = (seconds: number): string => new Date(START_MS + seconds * 1_000).toISOString().replace('.000Z', 'Z');

/** What `explain` says is wrong, without what may still become well. */
function explained(objects: readonly Raw[]): string[] {
  const findings = explain(objects, START_MS).objects.flatMap((object) => object.findings);
  return findings.filter((f) => !f.starting).map(({ signal }) => `${signal.scenario}/${signal.cause}`);
}

const CONTROLLERS: Readonly<Record<string, Resource>> = {
  ReplicaSet: 'replicasets',
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  Job: 'jobs',
  CronJob: 'cronjobs',
};
const RESOURCES: Readonly<Record<string, Resource>> = { Pod: 'pods', Event: 'events', Node: 'nodes', ...CONTROLLERS };

/** What opens when podtrail begins in this situation, with the controllers that Events are about, and nothing more happens for a while. */
function opened({ objects, lasts }: Situation): string[] {
  const driver = createDriver();
  const lists: Partial<Record<Resource, RawObject[]>> = { pods: [], events: [], replicasets: [] };
  for (const object of [...objects, ...controllersOf(objects)]) {
    const resource = RESOURCES[object['kind'] as string];
    if (resource !== undefined) lists[resource] = [...(lists[resource] ?? []), object as unknown as RawObject];
  }
  driver.begin(lists);
  for (const pod of lists.pods ?? []) retryPull(driver, pod, lasts);
  driver.advance(lasts - driver.now());
  return driver.replay.incidents().map(({ scenario, cause }) => `${scenario}/${cause}`);
}

function controllersOf(objects: readonly Raw[]): Raw[] {
  const refs = objects.map((object) => (object['involvedObject'] ?? {}) as Raw).filter(({ kind }) => CONTROLLERS[kind as string] !== undefined);
  const named = new Map(refs.map((ref) => [ref['uid'], ref]));
  return [...named.values()].map(({ kind, name, namespace, uid }) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, uid, resourceVersion: '1', creationTimestamp: at(-100_000) },
    spec: { replicas: 1, template: { spec: { containers: [] } } },
    status: {},
  }));
}

interface Waiting {
  readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
}
const PULL_ERRORS = new Set(['ErrImagePull', 'RegistryUnavailable', 'SignatureValidationFailed']);

/** Kubelets do not stay in the error of a pull: it is backed off and tried again. */
function retryPull(driver: Driver, pod: RawObject, lasts: number): void {
  const status = pod['status'] as Raw;
  const statuses = (status['containerStatuses'] ?? []) as readonly Waiting[];
  if (!statuses.some(({ state }) => PULL_ERRORS.has(state.waiting?.reason ?? ''))) return;
  const backedOff = statuses.map((each) => {
    const { reason = '', message = '' } = each.state.waiting ?? {};
    return PULL_ERRORS.has(reason)
      ? { ...each, state: { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image: ${reason}: ${message}` } } }
      : each;
  });
  for (let isBackOff = true; driver.now() + RETRY_S < lasts; isBackOff = !isBackOff) {
    driver.advance(RETRY_S);
    driver.change('MODIFIED', 'pods', { ...pod, status: { ...status, containerStatuses: isBackOff ? backedOff : statuses } });
  }
}
const RETRY_S = 20;

for (const file of readdirSync(FOLDER).sort()) {
  for (const situation of situationsOf(new URL(file, FOLDER), at)) {
    const { title, want, objects } = situation;
    test(`${file}: ${title}`, () => {
      const none = want.includes('silent') || want.includes('underway');
      const check = (how: string, got: readonly string[]): void => {
        const right = got.length === 0 ? none : got.every((one) => want.includes(one));
        assert.ok(right, `${how}: ${got.join(', ') || 'nothing'}; wanted ${want.join(' or ')}`);
      };
      check('explain', explained(objects));
      check('core', opened(situation));
    });
  }
}
