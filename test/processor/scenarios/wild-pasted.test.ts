/** Whole situations of the wild, as `explain` sees them, and the core: found there, or come about before its eyes. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { explain } from '../../../processor/explain.ts';
import { START_MS } from '../../helpers/driver.ts';
import type { Raw } from '../../helpers/pasted.ts';
import { situationsOf } from '../../helpers/pasted.ts';
import { at, foundOpen, happenedOpen } from '../../helpers/pasted-cluster.ts';

const FOLDER = new URL('./wild/pasted/', import.meta.url);
/** Older pods are not watched from their creation on: it would take long. */
const WATCHED_S = 2_000;

/** What `explain` says is wrong, without what may still become well. */
function explained(objects: readonly Raw[]): string[] {
  const findings = explain(objects, START_MS).objects.flatMap((object) => object.findings);
  return findings.filter((f) => !f.starting).map(({ signal }) => `${signal.scenario}/${signal.cause}`);
}

for (const file of readdirSync(FOLDER).sort()) {
  for (const situation of situationsOf(new URL(file, FOLDER), at)) {
    const { title, want, objects, age } = situation;
    test(`${file}: ${title}`, () => {
      const none = want.includes('silent') || want.includes('underway');
      const check = (how: string, got: readonly string[]): void => {
        const right = got.length === 0 ? none : got.every((one) => want.includes(one));
        assert.ok(right, `${how}: ${got.join(', ') || 'nothing'}; wanted ${want.join(' or ')}`);
      };
      check('explain', explained(objects));
      check('found', foundOpen(situation));
      if (age <= WATCHED_S) check('happened', happenedOpen(situation));
    });
  }
}
