/** Where the CPU time of a piece of work goes, by V8's own profiler. */
import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';

/** Not of the work: the idle time, what has no name, and the profiler's own. */
const LEFT_OUT: ReadonlySet<string> = new Set(['(idle)', '(program)', 'dispatch']);

/** The functions with the most time of their own, those of Node itself by what they are for; shares of the work's time. */
export async function largestCosts(work: () => unknown, count = 3): Promise<string[]> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  await work();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return shares(profile, count);
}

function shares({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, count: number): string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    if (LEFT_OUT.has(name)) continue;
    const time = timeDeltas[index] ?? 0;
    total += time;
    times.set(name, (times.get(name) ?? 0) + time);
  }
  const largest = [...times].sort(([, a], [, b]) => b - a);
  return largest.slice(0, count).map(([name, time]) => `${name} ${Math.round((100 * time) / total)} %`);
}

function nameOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const file = url.split('/').slice(-2).join('/');
  return file === '' ? functionName : `${functionName || 'anonymous'} (${file})`;
}
