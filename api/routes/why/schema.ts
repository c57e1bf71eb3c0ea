/** What /v1/why takes and returns. */
import { z } from 'zod';
import type { Why } from '../../../processor/core/why.ts';
import type { Answered } from '../../../processor/states.ts';
import { formatOptionalTime, formatTime, jsonTime, optionalJsonTime } from '../../time-range.ts';
import { clusterName } from '../params.ts';
import { originOf, originShape } from '../state-answer.ts';

export const whyQuery = z.strictObject({
  cluster: clusterName,
  namespace: z
    .string()
    .min(1)
    .max(63)
    .meta({ description: 'Namespace of the pod.', examples: ['shop'] }),
  pod: z
    .string()
    .min(1)
    .max(253)
    .meta({ description: 'Name or uid of the pod.', examples: ['checkout-6c9f7d5b4-x2x7k'] }),
});

const VERDICTS = ['no_signal', 'below_threshold', 'pending', 'opens_next', 'member', 'explained_by_node', 'disabled', 'not_judged', 'failed'] as const;

const scenarioSchema = z.object({
  scenario: z.string().meta({ examples: ['container_exit'] }),
  verdict: z.enum(VERDICTS).meta({
    description:
      'no_signal: it sees nothing wrong. below_threshold: wrong, but not enough for an incident. pending: an incident opens in opensInSeconds if nothing changes. opens_next: with the next record. member: part of `incident`. explained_by_node: an incident about its node tells it. disabled: by configuration. not_judged: it waits for a resource that podtrail does not see now. failed: its rule threw, as the text and a dead letter say.',
  }),
  text: z.string().meta({ description: 'The same for a person.', examples: ['opens in 40 s if nothing changes'] }),
  cause: z.string().nullable(),
  confidence: z.string().nullable().meta({ description: 'certain, likely or guess.' }),
  summary: z.string().nullable(),
  evidence: z.array(z.object({ kind: z.string(), object: z.string(), path: z.string(), value: z.string(), time: optionalJsonTime })),
  opensInSeconds: z.int().nullable(),
  incident: z.string().nullable().meta({ description: 'Id of the incident that it is a member of.' }),
  muted: z.string().nullable().meta({ description: 'Why an incident of this cause is muted, and until when.' }),
});

export const whyResponse = z
  .object({
    cluster: z.string(),
    ...originShape,
    pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string(), status: z.string(), node: z.string() }),
    workload: z.object({ kind: z.string(), name: z.string() }),
    scenarios: z
      .array(scenarioSchema)
      .meta({ description: 'Every scenario about pods, in the order of the catalogue; one that sees several things has an item for each.' }),
    disruption: z
      .object({ reason: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'The pod is being preempted, drained or evicted by the API: that is no incident.' }),
    blind: z
      .array(z.object({ resource: z.string(), since: jsonTime, reason: z.string(), uncollectable: z.boolean() }))
      .meta({ description: 'What podtrail does not see of the cluster; uncollectable: it may not, or it is not served.' }),
  })
  .meta({ id: 'Why', description: 'Why there is an incident about a pod, or why not.' });
export type WhyJson = z.output<typeof whyResponse>;

function buildScenario({ evidence = [], ...scenario }: Why['scenarios'][number]): WhyJson['scenarios'][number] {
  const { cause, confidence, summary, opensInSeconds, incident, muted } = scenario;
  return {
    scenario: scenario.scenario,
    verdict: scenario.verdict,
    text: scenario.text,
    cause: cause ?? null,
    confidence: confidence ?? null,
    summary: summary ?? null,
    evidence: evidence.map(({ kind, object, path, value, timeMs = 0 }) => ({ kind, object, path, value, time: formatOptionalTime(timeMs) })),
    opensInSeconds: opensInSeconds ?? null,
    incident: incident ?? null,
    muted: muted ?? null,
  };
}

/** An answer as it goes out. */
export function buildWhy(answered: Answered<Why>): WhyJson {
  const why = answered.answer;
  const { cluster, pod, workload, disruption } = why;
  return {
    cluster,
    ...originOf(answered),
    pod: { ...pod },
    workload: { ...workload },
    scenarios: why.scenarios.map(buildScenario),
    disruption: disruption === null ? null : { ...disruption },
    blind: why.blind.map(({ resource, sinceMs, reason, uncollectable }) => ({ resource, since: formatTime(sinceMs), reason, uncollectable })),
  };
}
