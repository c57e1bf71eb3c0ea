import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isOneStatement } from '../../sql/statement.ts';

const ROOT = new URL('../../', import.meta.url);
const FOLDERS = ['api', 'collector', 'deploy', 'processor', 'sql'];

function filesOf(ending: string): { readonly path: string; readonly text: string }[] {
  const paths = FOLDERS.flatMap((folder) => {
    const names = readdirSync(fileURLToPath(new URL(folder, ROOT)), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith(ending) && !name.includes('node_modules')).map((name) => `${folder}/${name}`);
  });
  return paths.sort().map((path) => ({ path, text: readFileSync(new URL(path, ROOT), 'utf8') }));
}

/** Code that puts names (never values) of a closed set into a statement. */
const NAMES_ONLY = new Set([
  'sql/insert-rows.ts', // table and columns of encode-row.ts
  'sql/embedded.ts', // the database, checked by sql/config.ts, and settings
]);

const SQL_WORDS =
  /\b(?:SELECT\s|INSERT\s+INTO\s|DELETE\s+FROM\s|ALTER\s+TABLE\s|(?:CREATE|DROP|TRUNCATE|OPTIMIZE)\s+(?:TABLE|DATABASE)\s|ORDER\s+BY\s|WHERE\s)/;

/** Template literals with a value in them, and string concatenations, that hold words of SQL. */
function interpolations(text: string): string[] {
  const templates = text.match(/`(?:[^`\\]|\\.)*`/gs) ?? [];
  const concatenations = text.match(/'[^'\n]*'\s*\+\s*[^'"`\s]|[^'"`\s]\s*\+\s*'[^'\n]*'/g) ?? [];
  return [...templates.filter((template) => template.includes('${')), ...concatenations].filter((found) => SQL_WORDS.test(found));
}

test('no value reaches SQL but as a bound parameter', () => {
  for (const { path, text } of filesOf('.ts')) {
    if (!NAMES_ONLY.has(path)) assert.deepEqual(interpolations(text), [], path);
  }
});

test('the check sees what it is there for', () => {
  const hole = '$' + '{x}';
  for (const bad of [`\`SELECT a FROM t WHERE b = ${hole}\``, "'SELECT a FROM t WHERE b = ' + b", `\`DELETE FROM\n t ${hole}\``]) {
    assert.equal(interpolations(bad).length, 1, bad);
  }
  for (const good of [`\`read ${hole} rows\``, "'SELECT 1'", '`SELECT 1`', `\`select failed: ${hole}\``]) assert.deepEqual(interpolations(good), [], good);
});

test('every .sql file is one statement with a header and without templates', () => {
  const files = filesOf('.sql');
  assert.ok(files.length > 20);
  for (const { path, text } of files) {
    assert.ok(isOneStatement(text), path);
    assert.match(text, /^(--|\/\*)/, `${path} has no header`);
    assert.doesNotMatch(text, /\$\{|%s|\{\{/, path);
  }
});

test('incidents are filtered alike for lists and for trends, but for their range of time', () => {
  const filter = (path: string): string[] => {
    const lines = readFileSync(new URL(path, ROOT), 'utf8').split('\n');
    const from = lines.findIndex((line) => line.includes('has({clusters:Array(String)}, cluster)'));
    const to = lines.findLastIndex((line) => line.includes('has({pods:Array(String)}, pod_uid)'));
    return lines
      .slice(from, to + 1)
      .map((line) => line.trim())
      .filter((line) => !line.startsWith('AND opened_time '));
  };
  const listed = filter('api/routes/incidents/list.sql');
  assert.ok(listed.length > 20);
  assert.deepEqual(filter('api/routes/trends/buckets.sql'), listed);
});
