/** Figures over free space, from the literature named at each; request based, usage plays no part. */
/** cpu and memory: the two resources that the figures below weigh against each other. Millicores and bytes. */
export interface Mix {
  readonly cpu: number;
  readonly memory: number;
}

/** rho: the mean demand of a pool; 1 core to 4 GiB, a general purpose node, where nothing runs. */
export function demandMix(requested: Mix): Mix {
  return requested.cpu > 0 && requested.memory > 0 ? { cpu: requested.cpu, memory: requested.memory } : { cpu: 1_000, memory: 4 * 1_024 ** 3 };
}

/** How many units of the mix a free vector holds: min_r f^r / rho^r. */
export function unitsIn(free: Mix, mix: Mix): number {
  return Math.min(free.cpu / mix.cpu, free.memory / mix.memory);
}

/** S_n^r = f_n^r − rho^r · min_q f_n^q/rho^q, rounded down to whole millicores and bytes: free space whose counterpart is gone. */
export function strandedIn(free: Mix, mix: Mix): Mix {
  const units = unitsIn(free, mix);
  return { cpu: Math.max(0, Math.floor(free.cpu - mix.cpu * units)), memory: Math.max(0, Math.floor(free.memory - mix.memory * units)) };
}

/** L(rho): the largest pod of the pool's mix that some node takes now. */
export function largestPod(frees: readonly Mix[], mix: Mix): Mix {
  const units = frees.reduce((most, free) => Math.max(most, unitsIn(free, mix)), 0);
  return { cpu: Math.floor(mix.cpu * units), memory: Math.floor(mix.memory * units) };
}

export interface FrontierPoint extends Mix {
  /** Nodes with at least this much of both free. */
  readonly nodes: number;
}

/** Points of a frontier that are kept, most cpu first: nobody draws more. */
const MAX_FRONTIER = 50;

/** The largest shapes that fit now: free vectors that no other node exceeds in both, most cpu first, at most MAX_FRONTIER. */
export function freeSpaceFrontier(frees: readonly Mix[]): readonly FrontierPoint[] {
  const sorted = [...frees].sort((a, b) => b.cpu - a.cpu || b.memory - a.memory);
  const frontier: Mix[] = [];
  let memory = -1;
  for (const free of sorted) {
    if (free.memory <= memory) continue;
    frontier.push(free);
    memory = free.memory;
  }
  return frontier
    .filter(({ cpu, memory: least }) => cpu > 0 && least > 0)
    .slice(0, MAX_FRONTIER)
    .map((point) => ({ cpu: point.cpu, memory: point.memory, nodes: frees.filter((free) => free.cpu >= point.cpu && free.memory >= point.memory).length }));
}

/** Φ = Σ p w phi / Σ p w; 0 without demand. */
export function weightedIndex(shapes: readonly { readonly share: number; readonly weight: number; readonly phi: number }[]): number {
  const total = shapes.reduce((sum, { share, weight }) => sum + share * weight, 0);
  return total === 0 ? 0 : shapes.reduce((sum, { share, weight, phi }) => sum + share * weight * phi, 0) / total;
}

/**
 * Strict expected waste: Σ_m p_m Σ_n (f_n if no copy of m fits on n), `unusable` being the inner sum. Weng et al., "Beware of
 * Fragmentation", USENIX ATC'23, carried to cpu and memory.
 */
export function expectedWaste(shapes: readonly { readonly share: number; readonly unusable: Mix }[]): Mix {
  return shapes.reduce((waste, { share, unusable }) => ({ cpu: waste.cpu + share * unusable.cpu, memory: waste.memory + share * unusable.memory }), {
    cpu: 0,
    memory: 0,
  });
}
