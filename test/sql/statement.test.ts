import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOneStatement, parametersOf } from '../../sql/statement.ts';

const cases: readonly { readonly name: string; readonly sql: string; readonly one: boolean }[] = [
  { name: 'a plain statement', sql: 'SELECT 1', one: true },
  { name: 'a semicolon at the end', sql: 'SELECT 1;', one: true },
  { name: 'semicolons, blanks and a comment at the end', sql: 'SELECT 1 ; ;\n-- done\n', one: true },
  { name: 'two statements', sql: 'SELECT 1; SELECT 2', one: false },
  { name: 'text behind the semicolon that is quoted', sql: "SELECT 1; 'x'", one: false },
  { name: 'nothing', sql: '', one: false },
  { name: 'a comment only', sql: '-- nothing here\n', one: false },
  { name: 'a semicolon first', sql: '; SELECT 1', one: false },
  { name: 'a semicolon in a string', sql: "SELECT 'a;b'", one: true },
  { name: 'a semicolon after an escaped quote', sql: "SELECT 'a\\';b'", one: true },
  { name: 'a semicolon after a doubled quote', sql: "SELECT 'a'';b'", one: true },
  { name: 'a string that ends in a backslash', sql: "SELECT 'a\\\\'; SELECT 2", one: false },
  { name: 'a semicolon in a quoted name', sql: 'SELECT 1 AS `a;b`, 2 AS "c;d"', one: true },
  { name: 'a semicolon in a line comment', sql: 'SELECT 1 -- a; b\n, 2', one: true },
  { name: 'a statement behind a line comment', sql: 'SELECT 1 -- a\n; SELECT 2', one: false },
  { name: 'a semicolon in a block comment', sql: 'SELECT /* a; b */ 1', one: true },
  { name: 'a semicolon in a shell comment', sql: 'SELECT 1 # a; b\n', one: true },
  { name: 'a semicolon in a heredoc', sql: 'SELECT $$a;b$$, $tag$c;d$$;$tag$', one: true },
  { name: 'a dollar that opens no heredoc', sql: 'SELECT a$ FROM b; SELECT 1', one: false },
  { name: 'quotes inside a comment', sql: "SELECT 1 -- it's\n; SELECT 'x'", one: false },
];

for (const { name, sql, one } of cases) {
  test(`${one ? 'takes' : 'refuses'} ${name}`, () => assert.equal(isOneStatement(sql), one));
}

test('whatever stands in a quoted value never makes it two', () => {
  const quoted = fc.string({ unit: 'grapheme' }).map((s) => `'${s.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
  fc.assert(fc.property(quoted, (value) => isOneStatement(`SELECT ${value} AS a`) && !isOneStatement(`SELECT ${value} AS a; SELECT 2`)));
});

test('parameters are found, but not in strings and comments', () => {
  const sql = "SELECT {a:String}, '{b:String}' FROM t WHERE x = { c : UInt8 } -- {d:String}";
  assert.deepEqual([...parametersOf(sql)], ['a', 'c']);
});
