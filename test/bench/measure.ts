/** Measuring: CPU time of this process, both sides in turn, medians and spread. */

/** CPU seconds of this process in user and system mode, all threads: the garbage collector's too. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** What a piece of work costs in CPU seconds. */
export async function cost(work: () => unknown): Promise<number> {
  const before = cpuSeconds();
  await work();
  return cpuSeconds() - before;
}

/** A ratio of two sides over pairs of runs. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly pairs: number;
}

/** Runs measured against each other; the first pair warms up and is not counted. */
export const PAIRS = 5;

/** Numerator over denominator, each a cost; the two alternate, so that a slower minute of the machine hits both. */
export async function ratioOf(numerator: () => Promise<number>, denominator: () => Promise<number>, pairs = PAIRS): Promise<Ratio> {
  const ratios: number[] = [];
  for (let pair = -1; pair < pairs; pair += 1) {
    const over = await numerator();
    const under = await denominator();
    if (pair >= 0) ratios.push(over / under);
  }
  return summarize(ratios);
}

export function summarize(values: readonly number[]): Ratio {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: percentile(sorted, 50), lowest: sorted[0] ?? Number.NaN, highest: sorted.at(-1) ?? Number.NaN, pairs: values.length };
}

/** Of ascending values, the nearest rank. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
