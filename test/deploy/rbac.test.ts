import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { API_RESOURCES } from '../../collector/api-resources.ts';
import { NAME_ONLY_RESOURCES, RESOURCES } from '../../collector/objects.ts';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules: readonly { readonly apiGroups: readonly string[]; readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

const documents = parseAllDocuments(readFileSync(new URL('../../deploy/k8s/rbac.yaml', import.meta.url), 'utf8'));
const roles = documents.map((document) => document.toJS() as Role).filter((role) => role.kind === 'ClusterRole');
const granted = (name: string): string[] =>
  roles
    .filter((role) => role.metadata.name === name)
    .flatMap((role) =>
      role.rules.flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}: ${verbs.join(' ')}`)),
      ),
    )
    .sort();

test('the collector may read what it collects, and nothing else', () => {
  const asked = RESOURCES.filter((resource) => !NAME_ONLY_RESOURCES.includes(resource)).map(
    (resource) => `${API_RESOURCES[resource].group}/${resource}: get list watch`,
  );
  assert.deepEqual(granted('podtrail-collector'), asked.sort());
});

test('names are a role of their own', () => {
  assert.deepEqual(granted('podtrail-names'), NAME_ONLY_RESOURCES.map((resource) => `/${resource}: list watch`).sort());
});

test('no role writes anything', () => {
  for (const role of roles) for (const rule of role.rules) for (const verb of rule.verbs) assert.ok(['get', 'list', 'watch'].includes(verb), verb);
});
