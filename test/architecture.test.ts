/** The rules of the tree (CONTRIBUTING.md): who may import whom, and what pure code must not touch. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['collector', 'processor', 'sql', 'api', 'deploy'];

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}
function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)';/gms)].map((match) => {
    const specifier = match[2] ?? '';
    const target = specifier.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), specifier)) : specifier;
    return { target, typeOnly: match[1] !== undefined };
  });
}

/** What files of a folder may import of our own, besides their own folder. */
const ALLOWED: Readonly<Record<string, (target: string, typeOnly: boolean) => boolean>> = {
  collector: () => false,
  sql: () => false,
  processor: (target) => target.startsWith('sql/') || target.startsWith('collector/'),
  api: (target, typeOnly) => target.startsWith('sql/') || (typeOnly && target.startsWith('processor/')),
  deploy: () => true,
};

for (const folder of FOLDERS) {
  test(`${folder} imports only what it may`, () => {
    const wrong: string[] = [];
    for (const file of sources(folder)) {
      for (const { target, typeOnly } of importsOf(file)) {
        const owner = target.split('/')[0] ?? '';
        if (!FOLDERS.includes(owner) || owner === folder) continue;
        if (ALLOWED[folder]?.(target, typeOnly) !== true) wrong.push(`${file} imports ${target}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
}

const isPure = (file: string): boolean =>
  /^processor\/(core|scenarios|capacity|catalogue)\//.test(file) || /^collector\/(project|redact|session|known-objects|change-record|objects)/.test(file);

const IMPURE: readonly (readonly [string, RegExp])[] = [
  ['await', /\bawait\b/],
  ['a clock', /\bDate\.now\(|new Date\(\)|performance\.now/],
  ['randomness', /Math\.random|randomUUID|randomBytes/],
  ['the process', /\bprocess\./],
  ['the locale', /localeCompare|toLocale|Intl\./],
  ['timers', /\bsetTimeout|setInterval|setImmediate/],
];

test('pure code touches no clock, randomness, process, locale or I/O', () => {
  const wrong: string[] = [];
  for (const file of [...sources('processor'), ...sources('collector')].filter(isPure)) {
    const code = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const [what, pattern] of IMPURE) if (pattern.test(code)) wrong.push(`${file} touches ${what}`);
    for (const { target } of importsOf(file)) if (target.startsWith('node:') && target !== 'node:crypto') wrong.push(`${file} imports ${target}`);
  }
  assert.deepEqual(wrong, []);
});

test('only the configuration reads the environment, and what finds the API server of a pod', () => {
  const readers = FOLDERS.flatMap(sources).filter((file) => /process\.env\b/.test(readFileSync(join(ROOT, file), 'utf8')));
  assert.deepEqual(readers, ['collector/kubeconfig.ts', 'deploy/config.ts']);
});

test('client-node, 140 MB of it, is loaded only when a kubeconfig asks for it', () => {
  const loaders = FOLDERS.flatMap(sources).filter((file) =>
    importsOf(file).some(({ target, typeOnly }) => target.startsWith('@kubernetes/client-node') && !typeOnly),
  );
  assert.deepEqual(loaders, []);
});

test('no default exports, no enums, no files beyond their size', () => {
  const wrong: string[] = [];
  for (const file of FOLDERS.flatMap(sources)) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    if (/^export default/m.test(text)) wrong.push(`${file} has a default export`);
    // Tables of text and of field names are as long as what they list.
    const isTable = /^processor\/catalogue\/|^processor\/capacity\/known-fields\.ts$/.test(file);
    if (!isTable && text.split('\n').length > 400) wrong.push(`${file} is longer than 400 lines`);
  }
  assert.deepEqual(wrong, []);
});
