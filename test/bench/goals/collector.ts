/** Goals 1, 2, 5 and 6: what a watch event costs the collector, what a pod costs in memory, and the first list. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServerOptions, ServerReady } from '../api-server.ts';
import type { Figure, Goal } from '../goal.ts';
import { PAIRS, type Ratio, summarize } from '../measure.ts';
import type { ClientOptions, ClientReport } from '../watch-client.ts';

const script = (name: string): string => fileURLToPath(new URL(`../${name}.ts`, import.meta.url));
const EXEC_ARGV = ['--expose-gc', '--import', 'tsx'];

function messageOf<T>(child: ChildProcess, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`${what} ended with exit code ${code}`)));
  });
}

/** Starts a server, and ends it with the work. */
async function withServer<T>(
  options: ServerOptions,
  work: (read: (client: ClientOptions['client']) => Promise<ClientReport>, server: ServerReady) => Promise<T>,
): Promise<T> {
  const server = fork(script('api-server'), ['--serve', JSON.stringify(options)], { execArgv: EXEC_ARGV });
  try {
    const ready = await messageOf<ServerReady>(server, 'the API server');
    const read = (client: ClientOptions['client']): Promise<ClientReport> => {
      const asked: ClientOptions = { client, port: ready.port, listed: options.listed, lines: options.changes };
      return messageOf<ClientReport>(fork(script('watch-client'), [JSON.stringify(asked)], { execArgv: EXEC_ARGV }), client);
    };
    return await work(read, ready);
  } finally {
    server.disconnect();
  }
}

/** `figure` of both clients in turn. */
async function compare(
  read: (client: ClientOptions['client']) => Promise<ClientReport>,
  [over, under]: readonly [ClientOptions['client'], ClientOptions['client']],
  figures: readonly ((report: ClientReport) => number)[],
  pairs: number,
): Promise<Ratio[]> {
  const ratios: number[][] = figures.map(() => []);
  for (let pair = 0; pair < pairs; pair += 1) {
    const [a, b] = [await read(over), await read(under)];
    for (const [index, figure] of figures.entries()) ratios[index]?.push(figure(a) / figure(b));
  }
  return ratios.map(summarize);
}

const cpu = (report: ClientReport): number => report.cpuSeconds;
const CHECKED = 'every object came; received = suppressed + appended, none rejected; the log holds the appended ones';

const EVENTS = { listed: 1, changes: 40_000 };
const LARGE_EVENTS = { listed: 1, changes: 20_000, large: true };
const EVENTS_SCALED = `${EVENTS.changes} and ${LARGE_EVENTS.changes} lines instead of 100 k, over loopback; the log takes batches and does nothing`;

export const watchEvents: Goal = {
  number: 1,
  title: 'collector CPU per pod watch event over JSON.parse of the same bytes',
  async run() {
    const figures: Figure[] = [];
    for (const [what, events] of [
      ['recorded pods of 5 KB', EVENTS],
      ['pods of 12 KB', LARGE_EVENTS],
    ] as const) {
      const [value] = (await withServer(events, (read) => compare(read, ['podtrail', 'parse'], [cpu], PAIRS))) as [Ratio];
      figures.push({ what, value, target: { below: 1.1 } });
    }
    return { figures, checked: CHECKED, scaled: EVENTS_SCALED };
  },
};

export const besideInformer: Goal = {
  number: 2,
  title: 'collector over client-node 1.4 informer with empty handlers, per pod watch event',
  run: () =>
    withServer(EVENTS, async (read) => {
      const [time, memory] = (await compare(read, ['podtrail', 'informer'], [cpu, (report) => report.peakBytes], PAIRS)) as [Ratio, Ratio];
      const figures: Figure[] = [
        { what: 'CPU', value: time, target: { below: 0.8 } },
        { what: 'peak RSS', value: memory, target: { below: 0.8 } },
      ];
      return { figures, checked: CHECKED, scaled: `${EVENTS_SCALED}; recorded pods of 5 KB` };
    }),
};

const LISTED = { listed: 20_000, changes: 0 };
const LISTED_SCALED = `${LISTED.listed} recorded pods of 5 KB in pages of 500, no changes after them, no gzip`;
const MEMORY_PAIRS = 3;

export const podMemory: Goal = {
  number: 5,
  title: 'memory per pod over the cache of client-node 1.4 informer',
  run: () =>
    withServer(LISTED, async (read) => {
      const grown = (report: ClientReport): number => report.steadyBytes - report.baseBytes;
      const [value] = (await compare(read, ['podtrail', 'informer'], [grown], MEMORY_PAIRS)) as [Ratio];
      return {
        figures: [{ what: 'RSS over empty, quiet and collected', value, target: { below: 0.15 } }],
        checked: CHECKED,
        scaled: `${LISTED_SCALED}; kube-state-metrics is not here`,
      };
    }),
};

export const firstList: Goal = {
  number: 6,
  title: 'initial sync',
  async run() {
    const parsed = await withServer({ listed: 1, changes: LISTED.listed }, (read) => read('parse'));
    return withServer(LISTED, async (read) => {
      const times: number[] = [];
      const peaks: number[] = [];
      for (let run = 0; run < PAIRS; run += 1) {
        const report = await read('podtrail');
        times.push(report.cpuSeconds / parsed.cpuSeconds);
        peaks.push(report.peakBytes / report.steadyBytes);
      }
      const figures: Figure[] = [
        { what: 'CPU over JSON.parse of the same pods', value: summarize(times), target: { below: 1.5 } },
        { what: 'peak RSS over steady RSS', value: summarize(peaks), target: { below: 1.5 } },
      ];
      return { figures, checked: CHECKED, scaled: `${LISTED_SCALED}; CPU instead of time` };
    });
  },
};
