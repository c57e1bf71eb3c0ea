/** A pre-check for people: plain text for a terminal, Markdown for a comment on a pull request. */
import type { CheckResult, CheckStatus } from '../processor/capacity/check.ts';
import type { WorkloadVerdict } from '../processor/capacity/precheck.ts';
import type { LocatedProblem } from '../processor/precheck-input.ts';
import { formatTable, printable } from './output.ts';

/** What is shown of a report; the one in the API's JSON has the same shape. */
export interface ShownReport {
  readonly cluster: string;
  readonly status: CheckStatus;
  readonly workloads: readonly WorkloadVerdict[];
}

/** `document 2 line 14: spec.replicas is …` */
export function problemLine({ document, line, field, message }: LocatedProblem): string {
  return `document ${document} line ${line}: ${field === '' ? '' : `${field} `}${message}`;
}

/** Details past this many of one check are only counted. */
const MAX_DETAILS = 5;

const NOTHING = 'no manifest makes pods of a kind that can be checked';

/** The report as text; checks that pass take one line. */
export function reportText({ cluster, status, workloads }: ShownReport): string {
  const parts = workloads.map((workload) => {
    const rows = workload.checks.map((check) => [`  ${check.status}`, check.check, check.reason]);
    const notes = workload.checks.filter(needsAttention).flatMap(notesOf);
    return [headline(workload), formatTable(['  STATUS', 'CHECK', 'REASON'], rows), ...notes.map((line) => `  ${printable(line)}`)].join('\n');
  });
  if (workloads.length === 0) return `${status}: ${NOTHING}`;
  return [...parts, `${status}: ${workloads.length} ${workloads.length === 1 ? 'workload' : 'workloads'} on ${cluster}`].join('\n\n');
}

function headline({ kind, namespace, name, update, placed, replicas, status }: WorkloadVerdict): string {
  return printable(`${kind} ${namespace}/${name}: ${status}, ${placed} of ${replicas} replicas placed${update ? ' (an update of what runs)' : ''}`);
}

const needsAttention = ({ status }: CheckResult): boolean => status === 'fail' || status === 'warn';

function notesOf({ check, fix, details }: CheckResult): string[] {
  const shown = details.slice(0, MAX_DETAILS).map((detail) => `  ${detail}`);
  const rest = details.length > MAX_DETAILS ? [`  … and ${details.length - MAX_DETAILS} more`] : [];
  return [`${check}:${fix === '' ? '' : ` to pass, ${fix}`}`, ...shown, ...rest];
}

const MARKS: Readonly<Record<CheckStatus, string>> = { pass: '✅', warn: '⚠️', fail: '❌', unknown: '❔' };

/** The report as Markdown: a table of what needs attention, the rest folded away. */
export function reportMarkdown({ cluster, status, workloads }: ShownReport): string {
  const lines = [`### ${MARKS[status]} Pre-check on \`${code(cluster)}\`: ${status}`];
  if (workloads.length === 0) lines.push('', NOTHING);
  for (const workload of workloads) {
    lines.push('', `**${cell(`${workload.kind} ${workload.namespace}/${workload.name}`)}**: ${workload.placed} of ${workload.replicas} replicas placed`);
    const [loud, quiet] = [workload.checks.filter(needsAttention), workload.checks.filter((check) => !needsAttention(check))];
    if (loud.length > 0) lines.push('', '| | check | why | to pass |', '|---|---|---|---|', ...loud.map(row));
    if (quiet.length > 0) lines.push('', `<details><summary>${quiet.length} other checks</summary>`, '', '| | check | |', '|---|---|---|');
    for (const check of quiet) lines.push(`| ${MARKS[check.status]} | ${check.check} | ${cell(check.reason)} |`);
    if (quiet.length > 0) lines.push('', '</details>');
  }
  return lines.join('\n');
}

/** Problems of unusable manifests as Markdown. */
export function problemsMarkdown(problems: readonly LocatedProblem[]): string {
  return ['### ❌ Pre-check: the manifests cannot be used', '', ...problems.map((problem) => `- ${cell(problemLine(problem))}`)].join('\n');
}

function row({ status, check, reason, fix }: CheckResult): string {
  return `| ${MARKS[status]} | ${check} | ${cell(reason)} | ${cell(fix)} |`;
}

/** Text of others in a Markdown table: no markup of its own, no mention of anybody. */
function cell(text: string): string {
  return printable(text)
    .replace(/[\\`*_{}[\]<>#|~!]/g, '\\$&')
    .replace(/@/g, '@\u200b');
}

const code = (text: string): string => printable(text).replace(/`/g, "'");
