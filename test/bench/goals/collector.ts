/** Goals 1, 2, 5 and 6: what a watch event costs the collector, what a pod costs in memory, and the first list. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createRecordEncoder } from '../../../collector/change-record.ts';
import { decodeListPage } from '../../../collector/list-page.ts';
import { createKnownObjects, createSession, type Session } from '../../../collector/session.ts';
import { createPodMemory } from '../../../collector/pod-memory.ts';
import { decodeWatchLine } from '../../../collector/watch-stream.ts';
import { LIST_VERSION, listPages, type ServerOptions, type ServerReady, watchLines } from '../api-server.ts';
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
      const asked: ClientOptions = { client, port: ready.port, listed: options.listed, lines: options.changes, listVersion: LIST_VERSION };
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

/** What is measured with pods of 12 KB, as the goals say, and once more with those of the recordings. */
const LARGE = { what: 'pods of 12 KB', large: true };
const RECORDED = { what: 'recorded pods of 5 KB, with no sidecar or probe', large: false };
const WATCHED = { listed: 1, changes: 100_000 };
const EVENTS_SCALED = 'not the lines: 100 k, and what it takes to warm up counts; over loopback without TLS; the log takes batches and does nothing';

export const watchEvents: Goal = {
  number: 1,
  title: 'collector CPU per pod watch event over JSON.parse of the same bytes',
  async run() {
    const figures: Figure[] = [];
    for (const { what, large } of [LARGE, RECORDED]) {
      const [value] = (await withServer({ ...WATCHED, large }, (read) => compare(read, ['podtrail', 'parse'], [cpu], PAIRS))) as [Ratio];
      figures.push({ what, value, target: { below: 1.1 } });
    }
    return { figures, checked: CHECKED, scaled: EVENTS_SCALED, profiled: profiledWatch() };
  },
};

const INFORMER_PAIRS = 5;

export const besideInformer: Goal = {
  number: 2,
  title: 'collector over client-node 1.4 informer with empty handlers, per pod watch event',
  async run() {
    const figures: Figure[] = [];
    for (const { what, large } of [LARGE, RECORDED]) {
      const measures = [cpu, (report: ClientReport) => report.peakBytes];
      const [time, memory] = (await withServer({ ...WATCHED, large }, (read) => compare(read, ['podtrail', 'informer'], measures, INFORMER_PAIRS))) as [
        Ratio,
        Ratio,
      ];
      figures.push({ what: `CPU, ${what}`, value: time, target: { below: 0.8 } });
      figures.push({ what: `peak RSS, ${what}`, value: memory, target: { below: 0.8 } });
    }
    return {
      figures,
      checked: CHECKED,
      scaled: `${EVENTS_SCALED}; both through the TypeScript loader, in which client-node alone has 140 MB before the first line`,
      profiled: profiledWatch(),
    };
  },
};

/** The collector's work without the connection: it runs in another process otherwise. Of small pods, which miss the most. */
function sessionOfPods(): Session {
  return createSession({
    cluster: { uid: 'bench', name: 'bench' },
    run: 'run',
    session: 'session',
    resource: 'pods',
    scope: '',
    clock: () => 0,
    emit: createRecordEncoder(),
    known: createKnownObjects(),
  });
}

function profiledWatch(): () => void {
  const lines = [...watchLines({ listed: 1, changes: PROFILED })];
  return () => {
    const pods = createPodMemory();
    const session = sessionOfPods();
    session.begin('1');
    session.end();
    for (const line of lines) {
      const decoded = decodeWatchLine(line.subarray(0, -1), pods);
      if (decoded.kind === 'pod') session.changePod(decoded.pod);
    }
  };
}

function profiledList(): () => void {
  const pages = [...listPages({ listed: PROFILED, changes: 0 })];
  return () => {
    const session = sessionOfPods();
    session.begin('1');
    for (const page of pages) for (const item of decodeListPage(page).items as Iterable<unknown>) session.listed(item);
    session.end();
  };
}
const PROFILED = 20_000;

const KEPT = { listed: 30_000, changes: 60_000 };
const MEMORY_PAIRS = 3;

export const podMemory: Goal = {
  number: 5,
  title: 'memory per pod over the cache of client-node 1.4 informer',
  run: () =>
    withServer(KEPT, async (read) => {
      const grown = (report: ClientReport): number => report.steadyBytes - report.baseBytes;
      const [value] = (await compare(read, ['podtrail', 'informer'], [grown], MEMORY_PAIRS)) as [Ratio];
      return {
        figures: [{ what: 'RSS over empty, quiet and collected', value, target: { below: 0.15 } }],
        checked: CHECKED,
        scaled: `${KEPT.listed} recorded pods of 5 KB in pages of 500, and ${KEPT.changes} changes of them; one second of quiet; kube-state-metrics is not here`,
      };
    }),
};

const LISTED = 30_000;

export const firstList: Goal = {
  number: 6,
  title: 'initial sync of pods over JSON.parse of the pages',
  async run() {
    const figures: Figure[] = [];
    for (const { what, large, gzip } of [
      { ...LARGE, gzip: false },
      { ...LARGE, what: 'the same, gzip', gzip: true },
      { ...RECORDED, gzip: false },
    ]) {
      await withServer({ listed: LISTED, changes: 0, large, gzip }, async (read) => {
        const peaks: number[] = [];
        const readToo = async (client: ClientOptions['client']): Promise<ClientReport> => {
          const report = await read(client);
          if (client === 'podtrail') peaks.push(report.peakBytes / report.steadyBytes);
          return report;
        };
        const [time, cpuTime] = (await compare(readToo, ['podtrail', 'parse'], [(report) => report.seconds, cpu], PAIRS)) as [Ratio, Ratio];
        figures.push({ what: `time, ${what}`, value: time, target: { below: 1.5 } });
        figures.push({ what: `CPU, ${what}`, value: cpuTime, target: { below: 1.5 } });
        figures.push({ what: `peak RSS over steady RSS, ${what}`, value: summarize(peaks), target: { below: 1.5 } });
      });
    }
    const scaled = `${LISTED} pods instead of 150 k, so that warming up weighs five times as much, in pages of 500, over loopback without TLS; no WatchList: podtrail pages`;
    return { figures, checked: CHECKED, scaled, profiled: profiledList() };
  },
};
