import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';

/** A fresh folder that goes away with the test or suite that asked for it. */
export function tempFolder(): { readonly path: string; write(name: string, text: string, mode?: number): string } {
  const path = mkdtempSync(join(tmpdir(), 'podtrail-test-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    write(name, text, mode = 0o600) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { mode });
      return file;
    },
  };
}
