/** `podtrail explain [FILE|-]`: what is wrong with each pod of a printed list right now, why, and what to do. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { parseAllDocuments } from 'yaml';
import { type Advice, adviceFor, entryOf, type Language, namesOf } from '../../processor/catalogue/advice.ts';
import type { Explained, Explanation, Finding } from '../../processor/explain.ts';
import { explain, FINDING_STATE } from '../../processor/explain.ts';
import type { IncidentJson } from '../../processor/replay.ts';
import { CommandError, EXIT } from '../errors.ts';
import { note, print, printable } from '../output.ts';

interface Options {
  readonly format: 'text' | 'json' | 'ndjson';
  readonly lang: Language;
}

/** Adds the command. */
export function addExplainCommand(program: Command): void {
  program
    .command('explain [file]')
    .description('explain what is wrong with each pod of `kubectl get pods,events[,nodes,…] -o json|yaml` (file, or - for standard input)')
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'))
    .addOption(new Option('--lang <language>', 'language of titles and advice').choices(['en', 'zh']).default('en'))
    .action((file: string | undefined, options: Options) => {
      const name = file ?? '-';
      const explanation = explain(readItems(name), Date.now());
      for (const reason of explanation.skipped) note(`skipped ${reason}`);
      if (options.format === 'text') printText(explanation, options.lang);
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

/** The items of a List, of several documents, or one object. JSON is YAML, but its own parser is faster and says more. */
export function readItems(name: string): unknown[] {
  let text: string;
  try {
    text = readFileSync(name === '-' ? 0 : name, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.badInput, `read ${name === '-' ? 'standard input' : name} failed: ${(error as Error).message}`, { cause: error });
  }
  if (text.trim() === '')
    throw new CommandError(EXIT.badInput, `${name === '-' ? 'standard input' : name} is empty: pipe \`kubectl get pods,events -o json\` into it`);
  return parseDocuments(text, name).flatMap((document) => {
    const list = document as { kind?: unknown; items?: unknown } | null;
    if (typeof list !== 'object' || list === null) throw new CommandError(EXIT.badInput, `${name} holds no Kubernetes object`);
    return Array.isArray(list.items) ? list.items.map((item) => withListKind(item, list.kind)) : [list];
  });
}

/** Items of a typed list (PodList) carry no kind of their own. */
function withListKind(item: unknown, listKind: unknown): unknown {
  const raw = item as { kind?: unknown } | null;
  if (typeof raw !== 'object' || raw === null || raw.kind !== undefined || typeof listKind !== 'string') return item;
  return { kind: listKind.replace(/List$/, ''), ...raw };
}

function parseDocuments(text: string, name: string): unknown[] {
  if (text.trimStart().startsWith('{')) {
    try {
      return [JSON.parse(text)];
    } catch (error) {
      throw new CommandError(EXIT.badInput, `${name} is not valid JSON: ${(error as Error).message}`);
    }
  }
  const documents = parseAllDocuments(text, { maxAliasCount: 100 } as never);
  const list = Array.isArray(documents) ? documents : [];
  const bad = list.flatMap((document) => document.errors)[0];
  if (bad !== undefined) throw new CommandError(EXIT.badInput, `${name} is not valid YAML: ${bad.message}`);
  return list.map((document) => document.toJS() as unknown).filter((document) => document !== null);
}

function printText(explanation: Explanation, lang: Language): void {
  let healthy = 0;
  for (const object of explanation.objects) {
    if (object.findings.length === 0) healthy++;
    else printObject(object, lang);
  }
  print(`${explanation.objects.length - healthy} with findings, ${healthy} without`);
  const missing = (['events', 'nodes'] as const).filter((resource) => !explanation.resources.includes(resource));
  if (missing.length > 0) note(`the list holds no ${missing.join(' and no ')}: \`kubectl get pods,events,nodes -A -o json\` tells more`);
}

function printObject(object: Explained, lang: Language): void {
  print(`${object.kind} ${object.namespace}/${object.name}  ${object.status}`);
  for (const finding of object.findings) printFinding(object, finding, lang);
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

function printFinding(object: Explained, finding: Finding, lang: Language): void {
  const { signal, starting } = finding;
  const advice = adviceOf(object, finding, lang);
  print(`  ${starting ? 'starting: ' : ''}${signal.scenario}/${signal.cause}${signal.detail === '' ? '' : ` (${signal.detail})`}, ${signal.confidence}`);
  print(`  ${printable(signal.summary)}`);
  for (const e of signal.evidence) print(`    ${printable(`${e.object} ${e.path}: ${e.value}`)}`);
  if (advice !== undefined) printAdvice(advice);
}

function printAdvice(advice: Advice): void {
  print(`  ${advice.title}: ${advice.explanation}`);
  for (const [index, step] of advice.steps.entries()) {
    print(`    ${index + 1}. ${step.text}`);
    if (step.command !== undefined) print(`       $ ${step.command}`);
  }
  if (advice.avoid !== '') print(`    ! ${advice.avoid}`);
}

/** One line a finding, in the shape of an incident. */
export function findingLines(explanation: Explanation): IncidentJson[] {
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
