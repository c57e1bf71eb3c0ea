import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { acceptHeader, collectionPath, describeDenied, planTargets } from '../../collector/api-resources.ts';
import { NAME_ONLY_RESOURCES, RESOURCES } from '../../collector/objects.ts';

describe('collectionPath', () => {
  const cases = [
    ['pods', '', '/api/v1/pods'],
    ['pods', 'shop', '/api/v1/namespaces/shop/pods'],
    ['events', '', '/api/v1/events'],
    ['deployments', 'shop', '/apis/apps/v1/namespaces/shop/deployments'],
    ['horizontalpodautoscalers', '', '/apis/autoscaling/v2/horizontalpodautoscalers'],
    ['csinodes', '', '/apis/storage.k8s.io/v1/csinodes'],
  ] as const;
  for (const [resource, scope, path] of cases) {
    test(`${resource} of ${scope === '' ? 'the cluster' : scope} are at ${path}`, () => assert.equal(collectionPath(resource, scope), path));
  }
});

test('of name-only resources nothing but metadata is accepted', () => {
  for (const resource of NAME_ONLY_RESOURCES) {
    assert.equal(acceptHeader(resource, 'list'), 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
    assert.equal(acceptHeader(resource, 'watch'), 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
  }
  assert.equal(acceptHeader('pods', 'list'), 'application/json');
});

test('a refusal names verb, resource, group and scope', () => {
  assert.equal(describeDenied('list', 'nodes', ''), 'cannot list resource "nodes" in API group "" at the cluster scope');
  assert.equal(describeDenied('watch', 'jobs', 'shop'), 'cannot watch resource "jobs" in API group "batch" in the namespace "shop"');
});

describe('planTargets', () => {
  test('collects everything but the name-only resources by default', () => {
    const { targets, skipped } = planTargets({ nameOnly: false });
    assert.deepEqual(
      targets.map((target) => target.resource),
      RESOURCES.filter((resource) => !NAME_ONLY_RESOURCES.includes(resource)),
    );
    assert.ok(targets.every((target) => target.scope === ''));
    assert.deepEqual(skipped, []);
  });

  test('the switch adds the name-only resources; naming one adds it alone', () => {
    assert.equal(planTargets({ nameOnly: true }).targets.length, RESOURCES.length);
    const { targets } = planTargets({ nameOnly: false, resources: ['secrets', 'pods'] });
    assert.deepEqual(
      targets.map((target) => target.resource),
      ['secrets', 'pods'],
    );
  });

  test('by namespace there is a loop for each, and cluster-scoped resources are left out', () => {
    const plan = planTargets({ nameOnly: false, resources: ['nodes', 'pods'], namespaces: ['a', 'b'] });
    assert.deepEqual(plan, {
      targets: [
        { resource: 'pods', scope: 'a' },
        { resource: 'pods', scope: 'b' },
      ],
      skipped: ['nodes'],
    });
  });
});
