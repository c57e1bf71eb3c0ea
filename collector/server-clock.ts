/** Observed time (design D2): the API server's clock, read from its Date headers and carried on by this machine's monotonic clock. */
export interface ServerClock {
  /** Epoch ms, an integer; never goes back. This machine's own clock until the first observe. */
  nowMs(): number;
  /** Takes in a response's Date header; the other two are monotonic times, ms, when the request left and the answer came. */
  observe(date: string | undefined, sentMs: number, receivedMs: number): void;
}

export interface ClockSources {
  /** Monotonic, ms. */
  readonly monotonic: () => number;
  /** Epoch ms. */
  readonly wall: () => number;
}

const SYSTEM: ClockSources = { monotonic: () => performance.now(), wall: () => Date.now() };

/** Date headers are cut to whole seconds: RFC 9110, section 5.6.7. */
const DATE_RESOLUTION_MS = 1_000;

/** While the server's clock is found to be behind, time goes on at this rate until it has caught up, rather than stand still. */
const SLEW_RATE = 0.5;

export function createServerClock({ monotonic, wall }: ClockSources = SYSTEM): ServerClock {
  let offsetMs = wall() - monotonic();
  let anchored = false;
  let last = Number.NEGATIVE_INFINITY;
  let lastAt = 0;
  return {
    nowMs() {
      const at = monotonic();
      const floor = last + (at - lastAt) * SLEW_RATE;
      last = Math.max(at + offsetMs, floor);
      lastAt = at;
      return Math.floor(last);
    },
    observe(date, sentMs, receivedMs) {
      const serverMs = date === undefined ? Number.NaN : Date.parse(date);
      if (!Number.isFinite(serverMs)) return;
      // The server wrote `date` between sent and received, up to a second after the instant it names: every answer bounds the
      // offset, and many answers together narrow it to well under a second. An offset within the bounds stays as it is.
      const lowest = serverMs - receivedMs;
      const highest = serverMs + DATE_RESOLUTION_MS - sentMs;
      if (!anchored) offsetMs = (lowest + highest) / 2;
      else offsetMs = Math.min(highest, Math.max(lowest, offsetMs));
      anchored = true;
    },
  };
}
