/** Entries are written as pairs, English and Chinese side by side, so that the two languages cannot differ in steps or commands. */
import type { CauseEntry, CauseText, Step } from './entry.ts';

export type Pair = readonly [en: string, zh: string];
/** One step in both languages, and its command if it has one. */
export type StepPair = readonly [en: string, zh: string, command?: string];

export interface CauseSource extends Pick<CauseEntry, 'severity' | 'subject' | 'links'> {
  readonly title: Pair;
  readonly explanation: Pair;
  readonly steps: readonly StepPair[];
  /** Left out where there is nothing people get wrong. */
  readonly avoid?: Pair;
}

/** The entry of a cause from its pairs. */
export function buildCause({ severity, subject, links, title, explanation, steps, avoid = ['', ''] }: CauseSource): CauseEntry {
  const textIn = (language: 0 | 1): CauseText => ({
    title: title[language],
    explanation: explanation[language],
    steps: steps.map((step): Step => ({ text: step[language], ...(step[2] !== undefined && { command: step[2] }) })),
    avoid: avoid[language],
  });
  return { severity, subject, links, en: textIn(0), zh: textIn(1) };
}
