/** What a crash loop has about it besides its cause: whether it takes turns with Running, and whether a scale-out came before it. */
import { lastedMs } from './container-runs.ts';
import { durationText, tableEvidence } from './evidence.ts';
import type { RunStory } from './run-signal.ts';
import { endedMs } from './run-signal.ts';
import { scaleOutOf } from './scale-out.ts';
import type { Evidence, PodView } from './scenario.ts';

/** Turns of Running and CrashLoopBackOff that make a container oscillate. */
const OSCILLATING_TURNS = 2;

export interface CrashFlags {
  readonly flags: readonly string[];
  readonly evidence: readonly Evidence[];
}

/** A run this long looked like Running to whoever looked, ms; one that ends sooner by itself does not oscillate. */
const LOOKS_RUNNING_MS = 10_000;

/** The flags `after_scale_out` and `oscillating` with what shows them. */
export function crashFlags(view: PodView, story: RunStory): CrashFlags {
  const scaleOut = scaleOutOf(view, endedMs(view, story.container.runs[0] ?? story.run));
  const looksRunning = story.end.kind === 'probe' || (lastedMs(story.run) ?? 0) >= LOOKS_RUNNING_MS;
  const oscillates = looksRunning && isOscillating(view, story);
  const period = oscillates ? periodMs(story) : undefined;
  return {
    flags: [...(scaleOut === undefined ? [] : ['after_scale_out']), ...(oscillates ? ['oscillating'] : [])],
    evidence: [
      ...(scaleOut ?? []),
      ...(period === undefined ? [] : [tableEvidence(view.pod, 'period of Running and CrashLoopBackOff', `${durationText(period)}, the last of them`)]),
    ],
  };
}

/** Running and waiting took turns, as far as was seen; of a container whose runs are not all known, its restarts tell. */
function isOscillating(view: PodView, { container, loop }: RunStory): boolean {
  if (loop.slow || loop.backOffs >= OSCILLATING_TURNS) return true;
  const known = container.runs.length >= container.restartCount;
  return loop.backOffs > 0 && !known && container.restartCount >= view.thresholds.restarts;
}

/** From the end of one run to the end of the next, ms; it grows with the kubelet's back-off, so the last one is told. */
function periodMs({ container: { runs } }: RunStory): number | undefined {
  const [before, last] = runs.slice(-2);
  if (before === undefined || last === undefined || before.finishedTimeMs === 0) return undefined;
  return last.finishedTimeMs > before.finishedTimeMs ? last.finishedTimeMs - before.finishedTimeMs : undefined;
}
