/**
 * Messages of the threads in which people asked about them, each as the whole pod that shows it: through `explain`, and through the
 * core, which found it there or saw it come about.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { explain } from '../../../processor/explain.ts';
import { START_MS } from '../../helpers/driver.ts';
import type { Raw, Situation } from '../../helpers/pasted.ts';
import { situationsIn } from '../../helpers/pasted.ts';
import { at, foundOpen, happenedOpen } from '../../helpers/pasted-cluster.ts';

const FOLDER = new URL('./wild/threads/', import.meta.url);
/** Stands for the message until the situation is built: a message may hold what the format of situations gives a meaning to. */
const MESSAGE = '%MESSAGE%';

const unescaped = (cell: string): string => cell.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));

/** Placed at the second try, which is over. */
const PLACED = [
  'event W FailedScheduling x2 -638..-632 default-scheduler: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
  'event N Scheduled -600 default-scheduler: Successfully assigned shop/web-7d9c-abcde to node-a',
];
const AWAITED =
  'event W FailedMount x3 -470..-10: Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data kube-api-access-x]: timed out waiting for the condition';
/** What the kubelet says beside it. */
const SUMMARIES: Readonly<Record<string, string>> = { FailedMount: AWAITED, FailedAttachVolume: AWAITED, FailedMapVolume: AWAITED };
const SANDBOX_CHANGED = 'event N SandboxChanged x6 -580..-15: Pod sandbox changed, it will be killed and re-created.';

/** The pods that show a message: by where it stands, the lines of their situations. */
function formsOf(where: string, image: string): readonly (readonly string[])[] {
  const [place = '', reason = ''] = where.split(' ');
  const scheduler = reason === 'FailedScheduling' ? ' default-scheduler' : '';
  const node = reason === 'FailedScheduling' ? ' node=none' : '';
  switch (place) {
    case 'sched':
      return [
        [
          'pod phase=Pending node=none age=420 owner=ReplicaSet/web-7d9c',
          `cond PodScheduled False Unschedulable -420 ${MESSAGE}`,
          `event W FailedScheduling x5 -420..-30 ${reason || 'default-scheduler'}: ${MESSAGE}`,
        ],
      ];
    case 'karpenter':
      return [
        [
          'pod phase=Pending node=none age=420 owner=ReplicaSet/web-7d9c',
          'cond PodScheduled False Unschedulable -420',
          `event W FailedScheduling x5 -420..-30 karpenter: ${MESSAGE}`,
        ],
      ];
    case 'pull': {
      const pod = 'pod phase=Pending age=600 owner=ReplicaSet/web-7d9c';
      const failed = `event W Failed x4 -590..-40 @app: Failed to pull image "${image}": ${MESSAGE}`;
      const backOff = `Back-off pulling image "${image}"`;
      return [
        [pod, `now waiting ErrImagePull ${MESSAGE}`, ...PLACED, `event N Pulling x4 -599..-60 @app: Pulling image "${image}"`],
        [pod, `now waiting ImagePullBackOff ${backOff}`, failed, `event N BackOff x9 -580..-5 @app: ${backOff}`],
        [pod, `now waiting ImagePullBackOff ${backOff}: ErrImagePull: ${MESSAGE}`, 'event W Failed x4 -590..-40 @app: Error: ErrImagePull'],
      ];
    }
    case 'invalid':
      return [
        [
          'pod phase=Pending age=600',
          `now waiting InvalidImageName ${MESSAGE}`,
          `event W InspectFailed x9 -590..-5 @app: ${MESSAGE}`,
          'event W Failed x9 -590..-5 @app: Error: InvalidImageName',
        ],
      ];
    case 'start':
      return [['pod phase=Pending age=600', `now waiting ${reason} ${MESSAGE}`, `event W Failed x9 -590..-5 @app: Error: ${MESSAGE}`]];
    case 'event':
      return [
        ['pod phase=Pending age=600 owner=ReplicaSet/web-7d9c', `event W ${reason} x7 -590..-20: ${MESSAGE}`],
        ['pod phase=Pending age=640 owner=ReplicaSet/web-7d9c', ...PLACED, `event W ${reason} x7 -590..-40: ${MESSAGE}`, SUMMARIES[reason] ?? SANDBOX_CHANGED],
      ];
    case 'ran':
      return [['pod phase=Running age=900 ready', `event W ${reason} x3 -895..-850${scheduler}: ${MESSAGE}`]];
    case 'young':
      return [[`pod phase=Pending age=15${node}`, `event W ${reason} x2 -13..-3${scheduler}: ${MESSAGE}`]];
    default:
      throw new Error(`unknown place: ${where}`);
  }
}

/** With the message, which an Event of the API server's keeps at most 1 kB of. */
function withMessage(situation: Situation, message: string): Situation {
  const text = (of: Raw, value: string): string => {
    const whole = value.replace(MESSAGE, () => message);
    return of['kind'] === 'Event' && whole.length > 1_024 ? `${whole.slice(0, 1_021)}...` : whole;
  };
  const objects = situation.objects.map(
    (object) => JSON.parse(JSON.stringify(object, (_, value: unknown) => (typeof value === 'string' ? text(object, value) : value))) as Raw,
  );
  return { ...situation, objects };
}

function explained(objects: readonly Raw[]): string[] {
  const findings = explain(objects, START_MS).objects.flatMap((object) => object.findings);
  return findings.filter((f) => !f.starting).map(({ signal }) => `${signal.scenario}/${signal.cause}`);
}

for (const file of readdirSync(FOLDER).sort()) {
  const lines = readFileSync(new URL(file, FOLDER), 'utf8').split('\n');
  for (const line of lines.filter((each) => each !== '' && !each.startsWith('#'))) {
    const [want = '', where = '', beside = '', message = '', source = ''] = line.split('\t');
    const wanted = want.split(' or ');
    const none = wanted.includes('silent') || wanted.includes('underway');
    const lines = beside === '-' ? [] : beside.split(' | ');
    const image = /image: '?([^ '}]+)/.exec(beside)?.[1] ?? 'registry.example.com/shop/web:1';
    // What is beside a pod that waits comes before its state, so that the state is that of the container named there.
    const [containers, others] = [lines.filter((each) => each.startsWith('container ')), lines.filter((each) => !each.startsWith('container '))];
    test(`${source}: ${message.slice(-140)}`, () => {
      for (const [pod, ...rest] of formsOf(where, image)) {
        const text = [`== ${source}`, `want ${want}`, pod, ...containers, ...rest, ...others].join('\n');
        const situation = withMessage(situationsIn(text, at)[0] as Situation, unescaped(message));
        const check = (how: string, got: readonly string[]): void => {
          const right = got.length === 0 ? none : got.every((one) => wanted.includes(one));
          assert.ok(right, `${how}: ${got.join(', ') || 'nothing'}; wanted ${want}`);
        };
        // `explain` tells an error from the first one on; an incident waits until it has lasted.
        if (!where.startsWith('young')) check('explain', explained(situation.objects));
        check('found', foundOpen(situation));
        check('happened', happenedOpen(situation));
      }
    });
  }
}
