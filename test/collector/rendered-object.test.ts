import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '../../collector/objects.ts';
import { projectObject } from '../../collector/project.ts';
import { createRender, type Rendered } from '../../collector/rendered-object.ts';
import { recordedObjects } from '../helpers/recorded.ts';

type Ok = Extract<Rendered, { ok: true }>;

const pod = (spec: unknown, more: object = {}) => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7', ...more },
  spec,
  status: { phase: 'Running' },
});
const SPEC = { nodeName: 'n1', containers: [{ name: 'app', image: 'app:1', env: [{ name: 'A', value: 's3cret' }] }] };
const bytes = (spec: unknown): Buffer => Buffer.from(JSON.stringify(spec));

function ok(rendered: Rendered): Ok {
  assert.ok(rendered.ok, rendered.ok ? '' : rendered.reason);
  return rendered;
}

describe('createRender', () => {
  test('renders every recorded object as its projection, the first time and again, whole or with its spec apart', () => {
    const renders = new Map<string, ReturnType<typeof createRender>>();
    for (const { resource, object } of recordedObjects('fleet/batch-3.ndjson.gz')) {
      const render = renders.get(resource) ?? createRender(resource);
      renders.set(resource, render);
      const projection = projectObject(resource, object);
      assert.ok(projection.ok);
      const whole = ok(render(object));
      assert.deepEqual(whole.object, projection.object);
      assert.equal(whole.json, JSON.stringify(projection.object));
      if (resource !== 'pods') continue;
      for (let time = 0; time < 2; time += 1) assert.deepEqual(render({ ...object, spec: null }, bytes(object['spec'])), whole);
    }
  });

  test('another spec is another one, though all else is the same', () => {
    const render = createRender('pods');
    const first = ok(render(pod(null), bytes(SPEC)));
    const second = ok(render(pod(null), bytes({ ...SPEC, nodeName: 'n2' })));
    assert.equal((second.object as Pod).spec.nodeName, 'n2');
    assert.notEqual(first.fingerprint, second.fingerprint);
    assert.equal(ok(render(pod(null), bytes(SPEC))).json, first.json);
  });

  test('the resourceVersion alone does not change the fingerprint, the status does', () => {
    const render = createRender('pods');
    const { fingerprint } = ok(render(pod(SPEC)));
    assert.equal(ok(render(pod(SPEC, { resourceVersion: '8' }))).fingerprint, fingerprint);
    assert.notEqual(ok(render({ ...pod(SPEC), status: { phase: 'Failed' } })).fingerprint, fingerprint);
    assert.notEqual(ok(render(pod(SPEC, { labels: { a: 'b' } }))).fingerprint, fingerprint);
  });

  test('a kept spec holds no literal env values', () => {
    const render = createRender('pods');
    for (let time = 0; time < 2; time += 1) assert.ok(!ok(render(pod(null), bytes(SPEC))).json.includes('s3cret'));
  });

  test('a spec that came in the same bytes is the same one', () => {
    const render = createRender('pods');
    const [first, second] = [bytes(SPEC), bytes(SPEC)];
    const specOf = (from: Buffer): unknown => (ok(render(pod(null), from)).object as Pod).spec;
    assert.equal(specOf(first), specOf(first));
    assert.notEqual(specOf(first), specOf(second));
    assert.deepEqual(specOf(first), specOf(second));
  });

  test('refuses bytes that are no JSON, and what projectObject refuses', () => {
    const render = createRender('pods');
    assert.deepEqual(render(pod(null), Buffer.from('{"a":}')), { ok: false, reason: 'spec is not JSON' });
    assert.deepEqual(render({ spec: null }, bytes(SPEC)), { ok: false, reason: 'metadata is missing' });
    assert.deepEqual(render(3, bytes(SPEC)), { ok: false, reason: 'not an object' });
  });
});
