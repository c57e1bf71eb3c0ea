/** What a pre-check says: one result per check, each with its reason in the scheduler's own terms and what would make it pass. */

/** All checks, in the order in which they are shown. */
export const CHECKS = [
  'fit',
  'quota',
  'limits',
  'selectors',
  'taints',
  'affinity',
  'spread',
  'host_ports',
  'claims',
  'references',
  'parameters',
  'image_history',
  'container_history',
  'cluster_health',
] as const;
export type CheckId = (typeof CHECKS)[number];

/** `unknown`: podtrail cannot see what it would take to say. */
export type CheckStatus = 'pass' | 'warn' | 'fail' | 'unknown';

export interface CheckResult {
  readonly check: CheckId;
  readonly status: CheckStatus;
  /** One sentence. */
  readonly reason: string;
  /** What would make it pass; '' where nothing has to. */
  readonly fix: string;
  /** One fact a line, most telling first, at most MAX_DETAILS. */
  readonly details: readonly string[];
}

export const MAX_DETAILS = 20;

export function passed(check: CheckId, reason: string, details: readonly string[] = []): CheckResult {
  return { check, status: 'pass', reason, fix: '', details: details.slice(0, MAX_DETAILS) };
}

export function failed(check: CheckId, reason: string, fix: string, details: readonly string[] = []): CheckResult {
  return { check, status: 'fail', reason, fix, details: details.slice(0, MAX_DETAILS) };
}

export function warned(check: CheckId, reason: string, fix: string, details: readonly string[] = []): CheckResult {
  return { check, status: 'warn', reason, fix, details: details.slice(0, MAX_DETAILS) };
}

export function unknown(check: CheckId, reason: string, details: readonly string[] = []): CheckResult {
  return { check, status: 'unknown', reason, fix: '', details: details.slice(0, MAX_DETAILS) };
}

const SEVERITY: Readonly<Record<CheckStatus, number>> = { pass: 0, unknown: 1, warn: 2, fail: 3 };

/** The gravest status; pass for none. */
export function worstOf(statuses: Iterable<CheckStatus>): CheckStatus {
  let worst: CheckStatus = 'pass';
  for (const status of statuses) if (SEVERITY[status] > SEVERITY[worst]) worst = status;
  return worst;
}
