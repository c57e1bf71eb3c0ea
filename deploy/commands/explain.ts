/** `podtrail explain [FILE|-]`: what is wrong with each pod of a printed list right now, why, and what to do. */
import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type Advice, adviceFor, entryOf, type Language, namesOf } from '../../processor/catalogue/advice.ts';
import type { Explained, Explanation, Finding } from '../../processor/explain.ts';
import { explain, FINDING_STATE } from '../../processor/explain.ts';
import type { IncidentJson } from '../../processor/replay.ts';
import { adviceLines } from '../incident-text.ts';
import { readItems } from '../list-input.ts';
import { note, parseAt, print, printable } from '../output.ts';

interface Options {
  readonly format: 'text' | 'json' | 'ndjson';
  readonly lang: Language;
  readonly at?: string;
}

/** Adds the command. */
export function addExplainCommand(program: Command): void {
  program
    .command('explain [file]')
    .description('explain what is wrong with each pod of `kubectl get pods,events[,nodes,…] -o json|yaml` (file, or - for standard input)')
    .addOption(new Option('-o, --format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'))
    .addOption(new Option('--lang <language>', 'language of titles and advice').choices(['en', 'zh']).default('en'))
    .option('--at <time>', 'when the list was taken, RFC 3339; by default the newest time in it, if that is more than 10 min ago')
    .action(async (file: string | undefined, options: Options) => {
      const nowMs = Date.now();
      const items = await readItems(file ?? '-');
      const explanation = explain(items, nowMs, options.at === undefined ? { latestMs: writtenMs(file) ?? nowMs } : { exactMs: parseAt(options.at) });
      for (const reason of explanation.skipped) note(`skipped ${reason}`);
      if (options.format === 'text') printText(explanation, options.lang, nowMs);
      else if (options.format === 'ndjson') for (const line of findingLines(explanation)) print(JSON.stringify(line));
      else
        print(
          JSON.stringify(
            explanation.objects.map((object) => objectJson(object, options.lang, explanation.atMs)),
            null,
            2,
          ),
        );
    });
}

/** When the file was written: the list is not younger. undefined for standard input. */
function writtenMs(file: string | undefined): number | undefined {
  return file === undefined || file === '-' ? undefined : statSync(file).mtimeMs;
}

/** A list of this long ago is said to be one, ms. */
const OLD_LIST_MS = 600_000;

function printText(explanation: Explanation, lang: Language, nowMs: number): void {
  let healthy = 0;
  const advised = new Map<string, string>();
  for (const object of explanation.objects) {
    if (object.findings.length === 0) healthy++;
    else printObject(object, lang, advised);
  }
  print(`${explanation.objects.length - healthy} with findings, ${healthy} without`);
  const missing = (['events', 'nodes'] as const).filter((resource) => !explanation.resources.includes(resource));
  if (nowMs - explanation.atMs > OLD_LIST_MS) note(`judged as of ${new Date(explanation.atMs).toISOString()}; --at says when the list was taken`);
  if (missing.length > 0) note(`the list holds no ${missing.join(' and no ')}: \`kubectl get pods,events,nodes -A -o json\` tells more`);
}

/** `advised`: for whom each cause's advice was printed; of a hundred pods that fail alike it is read once. */
function printObject(object: Explained, lang: Language, advised: Map<string, string>): void {
  const title = `${object.kind} ${object.namespace === '' ? '' : `${object.namespace}/`}${object.name}`;
  print(printable(`${title}  ${object.status}`));
  for (const finding of object.findings) printFinding(object, finding, lang, advised, title);
  print('');
}

function adviceOf(object: Explained, { signal }: Finding, lang: Language): Advice | undefined {
  const pod = object.kind === 'Pod' ? object : undefined;
  return adviceFor(
    signal.scenario,
    signal.cause,
    lang,
    namesOf({ subject: signal.subject, shared: { ...signal.shared, node: signal.shared?.node ?? object.node }, pod }),
  );
}

function printFinding(object: Explained, finding: Finding, lang: Language, advised: Map<string, string>, title: string): void {
  const { signal, starting } = finding;
  const advice = adviceOf(object, finding, lang);
  const cause = `${signal.scenario}/${signal.cause}`;
  const before = advised.get(cause);
  print(`  ${starting ? 'starting: ' : ''}${cause}${signal.detail === '' ? '' : ` (${signal.detail})`}, ${signal.confidence}`);
  print(`  ${printable(signal.summary)}`);
  for (const e of signal.evidence) print(`    ${printable(`${e.object} ${e.path}: ${e.value}`)}`);
  if (advice === undefined) return;
  if (before !== undefined) return print(printable(`  ${advice.title}: as for ${before} above`));
  advised.set(cause, title);
  for (const line of adviceLines(advice)) print(printable(line));
}

/** One line a finding, in the shape of an incident. */
function findingLines(explanation: Explanation): IncidentJson[] {
  return explanation.objects.flatMap((object) => object.findings.map((finding) => findingJson(object, finding, explanation.atMs)));
}

function findingJson(object: Explained, { id, signal, starting }: Finding, atMs: number): IncidentJson & { readonly starting: boolean } {
  const { namespace, name, uid } = object;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    id,
    cluster: 'list',
    scenario: signal.scenario,
    cause: signal.cause,
    flags: signal.flags,
    confidence: signal.confidence,
    detail: signal.detail,
    state: FINDING_STATE,
    resolution: null,
    severity: entryOf(signal.scenario, signal.cause)?.severity ?? 'warning',
    subject: signal.subject,
    pods: object.kind === 'Pod' ? [{ namespace, name, uid }] : [],
    impact: null,
    openedTime: iso(Math.min(signal.fact.timeMs, atMs)),
    updatedTime: iso(atMs),
    resolvedTime: null,
    firstSymptomTime: iso(Math.min(signal.fact.timeMs, atMs)),
    flaps: 0,
    summary: signal.summary,
    evidence: signal.evidence.map(({ timeMs, ...e }) => ({ ...e, time: timeMs === undefined ? null : iso(timeMs) })),
    suspectedChange: null,
    supersededBy: null,
    parent: null,
    starting,
  };
}

function objectJson(object: Explained, lang: Language, atMs: number): unknown {
  const verdict = object.findings.length === 0 ? 'well' : object.findings.every((f) => f.starting) ? 'starting' : 'failing';
  const findings = object.findings.map((finding) => ({ ...findingJson(object, finding, atMs), advice: adviceOf(object, finding, lang) ?? null }));
  return { kind: object.kind, namespace: object.namespace, name: object.name, uid: object.uid, status: object.status, verdict, findings };
}
