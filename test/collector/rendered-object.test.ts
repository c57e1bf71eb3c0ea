import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { projectObject } from '../../collector/project.ts';
import { readPodMetadata, readPodSpec, readPodStatus, renderObject, renderPodParts, type Rendered } from '../../collector/rendered-object.ts';
import { recordedObjects } from '../helpers/recorded.ts';

type Ok = Extract<Rendered, { ok: true }>;

const SPEC = { nodeName: 'n1', containers: [{ name: 'app', image: 'app:1', env: [{ name: 'A', value: 's3cret' }] }] };
const pod = (more: object = {}, spec: unknown = SPEC) => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7', ...more },
  spec,
  status: { phase: 'Running' },
});

function ok(rendered: Rendered): Ok {
  assert.ok(rendered.ok, rendered.ok ? '' : rendered.reason);
  return rendered;
}

describe('renderObject', () => {
  test('renders every recorded object as its projection, and a pod as its parts', () => {
    for (const { resource, object } of recordedObjects('fleet/batch-3.ndjson.gz')) {
      const projection = projectObject(resource, object);
      assert.ok(projection.ok);
      const whole = ok(renderObject(resource, object));
      assert.deepEqual(whole.object, projection.object);
      assert.equal(whole.json, JSON.stringify(projection.object));
      if (resource !== 'pods') continue;
      const other = { ...(object['metadata'] as object), resourceVersion: '1' };
      const [metadata, spec, status] = [readPodMetadata(other), readPodSpec(object['spec']), readPodStatus(object['status'])];
      assert.ok(metadata && spec && status);
      assert.deepEqual(renderPodParts({ metadata, resourceVersion: projection.object.metadata.resourceVersion, spec, status }), whole);
    }
  });

  test('the resourceVersion alone does not change the fingerprint, all else does', () => {
    const of = (raw: unknown): string => ok(renderObject('pods', raw)).fingerprint;
    const fingerprint = of(pod());
    assert.equal(of(pod({ resourceVersion: '8' })), fingerprint);
    assert.equal(of(pod({ resourceVersion: '"}\\' })), fingerprint);
    assert.notEqual(of({ ...pod(), status: { phase: 'Failed' } }), fingerprint);
    assert.notEqual(of(pod({ labels: { a: 'b' } })), fingerprint);
    assert.notEqual(of(pod({}, { ...SPEC, nodeName: 'n2' })), fingerprint);
    assert.notEqual(of(pod({ name: ',"resourceVersion":"7"' })), of(pod({ name: ',"resourceVersion":"8"' })));
  });

  test('holds no literal env values', () => {
    assert.ok(!ok(renderObject('pods', pod())).json.includes('s3cret'));
    assert.ok(!JSON.stringify(readPodSpec(SPEC)).includes('s3cret'));
  });

  test('refuses what projectObject refuses', () => {
    assert.deepEqual(renderObject('pods', { spec: SPEC }), { ok: false, reason: 'metadata is missing' });
    assert.deepEqual(renderObject('pods', 3), { ok: false, reason: 'not an object' });
    let deep: unknown = {};
    for (let level = 0; level < 100; level += 1) deep = { deep };
    assert.equal(renderObject('pods', pod({}, deep)).ok, false);
    assert.deepEqual([readPodSpec(deep), readPodMetadata({ name: 'web' }), readPodSpec(null), readPodStatus(null)], Array(4).fill(undefined));
  });
});
