/** What the incident routes take and return. */
import { z } from 'zod';
import type { ScenarioId } from '../../../processor/scenarios/scenario.ts';
import { nextCursor, pageParams } from '../../paging.ts';
import { jsonTime, optionalJsonTime, rangeParams } from '../../time-range.ts';
import { clusterList, namespaceList, textList, wordList } from '../params.ts';

/** Every scenario of the catalogue; the type makes it complete. */
const SCENARIOS: Readonly<Record<ScenarioId, true>> = {
  scheduling_failure: true,
  image_pull_failure: true,
  dependency_error: true,
  container_create_failure: true,
  init_failure: true,
  lifecycle_hook_failure: true,
  readiness_probe_failure: true,
  liveness_probe_failure: true,
  container_exit: true,
  oom_killed: true,
  evicted: true,
  node_lost: true,
  stuck_terminating: true,
};

/** Subject kinds that are no workload (design D8); everything else is the top controller of pods, or a bare pod. */
const OTHER_KINDS = ['Cluster', 'Node', 'Namespace', 'ResourceQuota', 'Image', 'Registry', 'PersistentVolumeClaim'];

/** Filters over incidents: the list and the trends take the same. */
export const incidentFilters = {
  cluster: clusterList,
  namespace: namespaceList,
  scenario: wordList(Object.keys(SCENARIOS) as [ScenarioId, ...ScenarioId[]], 'A scenario of the catalogue.'),
  cause: textList('A cause of the catalogue.', 'container_limit', 64),
  state: wordList(['open', 'recovering', 'resolved'], 'State now.'),
  severity: wordList(['info', 'warning', 'critical'], 'Severity.'),
  subjectKind: textList('Kind of what the incident is about.', 'Deployment', 63),
  subjectName: textList('Name of what the incident is about.', 'checkout'),
  workload: textList('The workload that it is about: NAME, KIND/NAME or KIND/NAMESPACE/NAME.', 'Deployment/checkout', 384),
  image: textList('Image that the incident is about or that its pods share.', 'registry.example.com/shop/checkout:v2', 1_024),
  registry: textList('Registry, likewise.', 'registry.example.com'),
  node: textList('Node that it is about, that its pods share, or of a member pod.', 'node-7'),
  pod: textList('Name or uid of a member pod.', 'checkout-6c9f7d5b4-x2x7k'),
  parent: textList('Id of the parent incident.', '5d0b1c2f7a9e4d3c8b6a', 64),
};

export const listQuery = z.strictObject({ ...rangeParams, ...incidentFilters, ...pageParams });
export type ListQuery = z.output<typeof listQuery>;
export type IncidentFilters = Pick<ListQuery, keyof typeof incidentFilters>;

export const oneParams = z.strictObject({
  id: z
    .string()
    .regex(/^[0-9A-Za-z_-]{1,64}$/, 'expected the id of an incident')
    .meta({ description: 'Id of an incident.', examples: ['5d0b1c2f7a9e4d3c8b6a'] }),
});
export const oneQuery = z.strictObject({
  lang: z.enum(['en', 'zh']).default('en').meta({ description: 'Language of the advice.' }),
});

/** The filters as bound parameters of the queries. */
export function filterParams(filters: IncidentFilters): Record<string, readonly string[]> {
  return {
    clusters: filters.cluster,
    namespaces: filters.namespace,
    scenarios: filters.scenario,
    causes: filters.cause,
    states: filters.state,
    severities: filters.severity,
    subject_kinds: filters.subjectKind,
    subject_names: filters.subjectName,
    workloads: filters.workload,
    images: filters.image,
    registries: filters.registry,
    nodes: filters.node,
    pods: filters.pod,
    parents: filters.parent,
    other_kinds: OTHER_KINDS,
  };
}

const podRef = z.object({ namespace: z.string(), name: z.string(), uid: z.string() });

const incidentFields = {
  id: z.string().meta({ description: 'Hash of cluster, subject and opening fact: the same after a replay.', examples: ['5d0b1c2f7a9e4d3c8b6a'] }),
  cluster: z.string(),
  scenario: z.string().meta({ examples: ['oom_killed'] }),
  cause: z.string().meta({ examples: ['container_limit'] }),
  flags: z.array(z.string()),
  confidence: z.string().meta({ description: 'certain, likely or guess.' }),
  detail: z.string().meta({ description: 'Refinement of the cause; empty where there is none.' }),
  state: z.string().meta({ description: 'open, recovering or resolved.' }),
  resolution: z.string().nullable().meta({ description: 'recovered, deleted, superseded, ended or unknown; null while not resolved.' }),
  severity: z.string().meta({ description: 'info, warning or critical.' }),
  subject: z
    .object({ kind: z.string(), namespace: z.string(), name: z.string(), container: z.string() })
    .meta({ description: 'What the incident is about; container is empty unless it is one container of a workload.' }),
  image: z.string().nullable(),
  registry: z.string().nullable(),
  node: z.string().nullable(),
  claim: z.string().nullable(),
  pods: z.array(podRef).meta({ description: 'Member pods, the first 20; podCount says how many there were.' }),
  podCount: z.int().meta({ description: 'Member pods ever.' }),
  failingPods: z.int().meta({ description: 'Member pods failing now.' }),
  impact: z
    .object({ desired: z.int(), ready: z.int(), affected: z.int() })
    .nullable()
    .meta({ description: 'Replicas wanted and ready of the workload, and members failing.' }),
  firstSymptomTime: optionalJsonTime,
  openedTime: jsonTime,
  updatedTime: jsonTime,
  resolvedTime: optionalJsonTime,
  flaps: z.int().meta({ description: 'Relapses within the window of recovery.' }),
  summary: z.string(),
  evidence: z.array(
    z.object({
      kind: z.string().meta({ description: 'field, event or table.' }),
      object: z.string().meta({ examples: ['Pod shop/checkout-6c9f7d5b4-x2x7k'] }),
      path: z.string().meta({ examples: ['status.containerStatuses[0].lastState.terminated.reason'] }),
      value: z.string().meta({ examples: ['OOMKilled'] }),
      time: optionalJsonTime,
    }),
  ),
  suspectedChange: z.unknown().meta({ description: 'What changed just before, as an object; null where none was found.' }),
  supersededBy: z.string().nullable().meta({ description: 'Id of the incident that explains this one.' }),
  parent: z.string().nullable().meta({ description: 'Id of the incident about what several workloads share.' }),
};

const EXAMPLE = {
  id: '5d0b1c2f7a9e4d3c8b6a',
  cluster: 'prod-eu1',
  scenario: 'oom_killed',
  cause: 'container_limit',
  flags: [],
  confidence: 'certain',
  detail: '',
  state: 'open',
  resolution: null,
  severity: 'warning',
  subject: { kind: 'Deployment', namespace: 'shop', name: 'checkout', container: 'app' },
  image: 'registry.example.com/shop/checkout:v2',
  registry: 'registry.example.com',
  node: null,
  claim: null,
  pods: [{ namespace: 'shop', name: 'checkout-6c9f7d5b4-x2x7k', uid: '0d2b9c1e-3f6a-4b0e-9a55-0f6a7c1d2e3f' }],
  podCount: 1,
  failingPods: 1,
  impact: { desired: 3, ready: 2, affected: 1 },
  firstSymptomTime: '2026-01-31T07:59:21.000Z',
  openedTime: '2026-01-31T07:59:21.000Z',
  updatedTime: '2026-01-31T08:00:04.512Z',
  resolvedTime: null,
  flaps: 0,
  summary: 'Container app of Deployment shop/checkout is killed at its memory limit of 128Mi',
  evidence: [
    {
      kind: 'field',
      object: 'Pod shop/checkout-6c9f7d5b4-x2x7k',
      path: 'status.containerStatuses[0].lastState.terminated.reason',
      value: 'OOMKilled',
      time: '2026-01-31T07:59:21.000Z',
    },
  ],
  suspectedChange: null,
  supersededBy: null,
  parent: null,
};

export const incidentSchema = z.object(incidentFields).meta({ id: 'Incident', description: 'One incident.', examples: [EXAMPLE] });
export type IncidentJson = z.output<typeof incidentSchema>;

export const listResponse = z
  .object({ items: z.array(incidentSchema), next: nextCursor })
  .meta({ id: 'IncidentList', description: 'One page of incidents, newest opened first.' });

const memberSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  node: z.string(),
  state: z.string().meta({ description: 'failing, recovering, recovered or gone.' }),
  firstTime: jsonTime,
  lastTime: jsonTime,
});
export type MemberJson = z.output<typeof memberSchema>;

const adviceSchema = z
  .object({
    scenario: z.string().meta({ description: 'Title of the scenario.' }),
    title: z.string(),
    explanation: z.string(),
    steps: z.array(z.object({ text: z.string(), command: z.string().optional() })).meta({ description: 'What to check and do, in order.' }),
    avoid: z.string().meta({ description: 'What not to do; empty where there is nothing.' }),
    links: z.array(z.string()),
  })
  .meta({ id: 'Advice', description: 'What the catalogue says of a cause, with the names of the incident filled in.' });
export type AdviceJson = z.output<typeof adviceSchema>;

const timelineEntry = z.object({
  seq: z.int().nullable().meta({ description: 'Number of the entry in what was told of the incident; null for what is read from Events and members.' }),
  time: jsonTime,
  kind: z.string().meta({ description: 'symptom, change, opened, relabelled, member, recovering, flap, resolved, superseded, note, event, warning or rest.' }),
  text: z.string(),
  count: z.int().meta({ description: 'How often it happened; of `rest`, how many entries are left out.' }),
  until: optionalJsonTime.meta({ description: 'When it happened last; null for what happened at one time.' }),
});

export const oneResponse = z
  .object({
    ...incidentFields,
    members: z.array(memberSchema).meta({ description: 'Member pods with their own times, the first 1,000; podCount says how many there were.' }),
    timeline: z.array(timelineEntry).meta({
      description:
        'What happened to the incident and what Kubernetes said meanwhile, oldest first, 60 entries at most: a long story is cut in its middle. Events are in it for as long as the store keeps them (90 days by default).',
    }),
    advice: adviceSchema.nullable().meta({ description: 'null where the catalogue has nothing.' }),
  })
  .meta({ id: 'IncidentDetail', description: 'One incident with its story, members and advice.' });
export type IncidentDetailJson = z.output<typeof oneResponse>;
