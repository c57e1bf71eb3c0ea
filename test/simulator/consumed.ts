/**
 * What the processors consumed of a log of which retention took records away before they came to them. Told from where each of them went
 * on, as they log it, and from how many records the last checkpoint counts.
 */
import { pino } from 'pino';
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import type { Broker } from './broker.ts';
import type { Pipeline, SimulatedCluster } from './pipeline.ts';

/** From where a processor went on with a cluster. */
export interface Resumption {
  readonly cluster: string;
  /** Of the checkpoint: records consumed, and the offset after the last of them. 0 without one. */
  readonly count: number;
  readonly nextOffset: bigint;
  /** The first offset that was still there to be read. */
  readonly from: bigint;
}

/** A processor's log that keeps in `resumptions` where it goes on. */
export function createResumptionLog(resumptions: Resumption[], clusters: readonly Pick<SimulatedCluster, 'ref'>[], broker: Broker) {
  const write = (line: string): void => {
    const { msg, cluster, count = 0, nextOffset = '0' } = JSON.parse(line);
    if (msg !== 'cluster restored' && msg !== 'cluster is new here') return;
    const uid = clusters.find(({ ref }) => ref.name === cluster)?.ref.uid ?? '';
    // Retention does not move on while a processor lives.
    const earliest = broker.earliest(broker.partitionOf(uid));
    const next = BigInt(nextOffset);
    resumptions.push({ cluster, count, nextOffset: next, from: next > earliest ? next : earliest });
  };
  return pino({ level: 'info' }, { write });
}

/** Indices of consumed records of a cluster, from and up to before. */
type Range = readonly [from: number, to: number];

/** The records of a cluster that made its last checkpoint. Throws unless there is exactly one way to come by it. */
export function consumedOf({ store, broker, resumptions }: Pipeline, { ref }: SimulatedCluster): readonly LogRecord[] {
  const records = broker.records(broker.partitionOf(ref.uid)).filter(({ key }) => key === ref.uid);
  const manifests = store.final('checkpoint_manifests').filter((row) => row['cluster_uid'] === ref.uid);
  const [last] = manifests.sort((a, b) => Number(b['generation']) - Number(a['generation']) || Number(b['count']) - Number(a['count']));
  const mine = resumptions.filter(({ cluster }) => cluster === ref.name);
  const ways = last === undefined ? [] : waysTo(mine, records, Number(last['count']), BigInt(String(last['next_offset'])));
  const distinct = new Map(ways.map((ranges) => [JSON.stringify(ranges), ranges]));
  const [ranges, other] = distinct.values();
  if (ranges === undefined || other !== undefined) throw new Error(`${distinct.size} ways to the last checkpoint of ${ref.name}, not one`);
  return ranges.flatMap((range) => records.slice(...range));
}

/** All ways from a cluster's beginning to `count` consumed records, the last of which is before `nextOffset`. */
function waysTo(resumptions: readonly Resumption[], records: readonly LogRecord[], count: number, nextOffset: bigint): (readonly Range[])[] {
  const indexOf = (offset: bigint): number => records.findLastIndex((record) => record.offset < offset) + 1;
  const known = new Map<string, (readonly Range[])[]>();
  const find = (to: number, before: bigint): (readonly Range[])[] => {
    if (to === 0) return [[]];
    const key = `${to} ${before}`;
    const found =
      known.get(key) ??
      resumptions.flatMap((resumption) => {
        const range: Range = [indexOf(resumption.from), indexOf(before)];
        const goesOn = resumption.nextOffset < before && range[0] <= range[1]; // without a record where only a gap was passed
        if (!goesOn || resumption.count + range[1] - range[0] !== to) return [];
        return find(resumption.count, resumption.nextOffset).map((ranges) => joined(ranges, range));
      });
    known.set(key, found);
    return found;
  };
  return find(count, nextOffset);
}

function joined(ranges: readonly Range[], next: Range): readonly Range[] {
  const last = ranges.at(-1);
  if (next[0] === next[1]) return ranges;
  return last !== undefined && last[1] === next[0] ? [...ranges.slice(0, -1), [last[0], next[1]]] : [...ranges, next];
}
