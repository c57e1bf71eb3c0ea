/** chDB behind its HTTP interface (chdb-http.ts), as a process of its own that several processes of a test share. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('chdb-http.ts', import.meta.url));

/** Starts it, and returns its URL. It ends with the test file. */
export async function startChdbProcess(directory: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, '--directory', directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  after(kill);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return chunk.toString().trim();
}
