/**
 * Every pod that starts or ends gives signals that are not due yet, and nearly none of them ever is. Until then their words are heard by
 * nobody, so they are not put together: that was most of what rules cost a healthy cluster.
 */
import type { PodView, Signal } from './scenario.ts';

/** Whether nobody hears what a signal says that is due at this time. */
export function isUntold(view: PodView, dueTimeMs: number | undefined): dueTimeMs is number {
  return view.isUntold === true && dueTimeMs !== undefined && dueTimeMs > view.nowMs;
}

/** A signal that only says when to ask again. */
export function untoldSignal({ scenario, track, subject, dueTimeMs }: Pick<Signal, 'scenario' | 'track' | 'subject' | 'dueTimeMs'>): Signal {
  const nothing = { cause: 'other', detail: '', flags: [], confidence: 'guess', rank: 0, recoverAfterMs: 0, summary: '', evidence: [] } as const;
  return { scenario, track, subject, dueTimeMs, fact: { value: '', timeMs: 0, says: '' }, ...nothing };
}
