/**
 * Benches of the goals: node --import tsx test/bench/run.ts [--markdown] [GOAL…]. Every goal runs in a process of its own, both sides
 * in turn, and checks in the same run that what was measured is right. Exit code 1 if a check fails; a missed target is no failure.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figure, Outcome } from './goal.ts';
import { isMet } from './goal.ts';
import { GOALS } from './goals/index.ts';
import { largestCosts } from './profile.ts';

interface Report extends Omit<Outcome, 'profiled' | 'costs'> {
  readonly number: number;
  readonly title: string;
  /** Of a goal with a missed target. */
  readonly costs: readonly string[];
  readonly seconds: number;
}

async function measure(number: number): Promise<Report> {
  const goal = GOALS.find((each) => each.number === number);
  if (goal === undefined) throw new Error(`there is no goal ${number}; there are ${GOALS.map((each) => each.number).join(', ')}`);
  const started = performance.now();
  const { profiled, costs: known = [], ...outcome } = await goal.run();
  const costs = profiled === undefined || outcome.figures.every(isMet) ? known : await largestCosts(profiled);
  return { ...outcome, number, title: goal.title, costs, seconds: (performance.now() - started) / 1_000 };
}

/** A goal takes three minutes on a machine of its own; one that hangs must not take the others with it. */
const TIME_LIMIT_MS = 480_000;

/** Measures in a child: one goal's heap and compiled code say nothing about the next. */
function measureApart(number: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--child', String(number)], { execArgv: ['--expose-gc', '--import', 'tsx'] });
    let report: Report | undefined;
    let how = '';
    const timer = setTimeout(() => {
      how = ` after ${TIME_LIMIT_MS / 1_000} s, the most that a goal may take`;
      child.kill(); // what it started itself ends with it: children by their channel, podtrail by its exit
    }, TIME_LIMIT_MS);
    child.on('message', (message) => {
      report = message as Report;
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (report === undefined) reject(new Error(`goal ${number} ended with ${code ?? signal}${how}`));
      else resolve(report);
    });
  });
}

const digits = (value: number): string => (Math.abs(value) >= 10 ? value.toFixed(0) : value.toPrecision(2));

/** `≥ 0.3`; '' of what is only told. */
function targetOf({ target, unit = '' }: Figure): string {
  if (target === undefined) return '';
  return 'above' in target ? `≥ ${target.above}${unit}` : `≤ ${target.below}${unit}`;
}

function lines({ number, title, figures, checked, scaled, costs, seconds }: Report): string {
  const rows = figures.map((figure) => {
    const { what, value, unit = '' } = figure;
    const spread = value.pairs > 1 ? ` (${digits(value.lowest)} to ${digits(value.highest)}, ${value.pairs} pairs)` : '';
    const verdict = figure.target === undefined ? 'told only' : `${isMet(figure) ? 'meets' : 'MISSES'} ${targetOf(figure)}`;
    return `  ${digits(value.median)}${unit} ${verdict}  ${what}${spread}`;
  });
  const profile = costs.length === 0 ? [] : [`  largest costs: ${costs.join(', ')}`];
  return [`${number}. ${title}`, ...rows, `  checked: ${checked}`, `  scaled: ${scaled}`, ...profile, `  ${seconds.toFixed(0)} s`].join('\n');
}

function markdown(reports: readonly Report[]): string {
  const rows = reports.flatMap(({ number, title, figures, costs }) =>
    figures.map((figure) => {
      const { what, value, unit = '' } = figure;
      const spread = value.pairs > 1 ? `${digits(value.lowest)}–${digits(value.highest)}` : '';
      const missed = isMet(figure) ? 'met' : `missed${costs.length > 0 ? `: ${costs.join(', ')}` : ''}`;
      const verdict = figure.target === undefined ? 'told only' : missed;
      return `| ${number} | ${title}: ${what} | ${digits(value.median)}${unit} | ${spread} | ${targetOf(figure)} | ${verdict} |`;
    }),
  );
  const notes = reports.map(({ number, checked, scaled }) => `- ${number}: checked: ${checked}. Scaled: ${scaled}.`);
  return ['| goal | measured | median | spread | target | |', '|---|---|---|---|---|---|', ...rows, '', ...notes].join('\n');
}

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === '--child') {
    process.once('SIGTERM', () => process.exit(1));
    process.send?.(await measure(Number(args[1])));
    process.exit();
  }
  const asMarkdown = args.includes('--markdown');
  const wanted = args.filter((arg) => arg !== '--markdown').map(Number);
  const reports: Report[] = [];
  for (const number of wanted.length === 0 ? GOALS.map((goal) => goal.number) : wanted) {
    try {
      const report = await measureApart(number);
      reports.push(report);
      if (asMarkdown) console.error(`goal ${number}: ${report.seconds.toFixed(0)} s`);
      else console.log(`${lines(report)}\n`);
    } catch (error) {
      console.error(String(error));
      process.exitCode = 1;
    }
  }
  if (asMarkdown) console.log(markdown(reports));
}

await main(process.argv.slice(2));
