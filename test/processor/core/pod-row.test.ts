import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDriver, rawPod } from '../../helpers/driver.ts';

test('the spec of a pod is stored once, whatever node it comes to, and again when it is another', () => {
  const driver = createDriver();
  driver.begin({ pods: [] });
  const images = ['app:1', 'app:1', 'app:1', 'app:2'];
  for (const [at, image] of images.entries()) {
    const node = at === 0 ? { nodeName: undefined } : { nodeName: 'node-1' };
    const labels = { labels: { at: String(at) } };
    driver.change(at === 0 ? 'ADDED' : 'MODIFIED', 'pods', rawPod('a', {}, { ...node, containers: [{ name: 'app', image }] }, labels));
  }
  const rows = driver.replay.rows('pod_changes').sort((a, b) => Number(a.resourceVersion) - Number(b.resourceVersion));
  assert.deepEqual(
    rows.map(({ node, spec }) => [node, spec === '' ? '' : JSON.parse(spec).containers[0].image]),
    [
      ['', 'app:1'],
      ['node-1', ''],
      ['node-1', ''],
      ['node-1', 'app:2'],
    ],
  );
  const [first, , third, last] = rows;
  assert.equal(third?.specHash, first?.specHash);
  assert.notEqual(last?.specHash, first?.specHash);
  assert.ok(rows.every(({ spec }) => !spec.includes('nodeName')));
});
