/** What POST /v1/precheck takes and returns. */
import { z } from 'zod';
import type { WorkloadVerdict } from '../../../processor/capacity/precheck.ts';
import type { PrecheckAnswer } from '../../../processor/capacity-questions.ts';
import { clusterName } from '../params.ts';
import { originShape } from '../state-answer.ts';

/** Longest manifests, characters; a longer body is refused before it is read. */
export const MAX_MANIFESTS = 2 * 1_024 * 1_024;

export const precheckBody = z.strictObject({
  cluster: clusterName,
  manifests: z
    .string()
    .min(1)
    .max(MAX_MANIFESTS)
    .meta({
      description: 'Kubernetes manifests: YAML documents, or JSON.',
      examples: ['apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n'],
    }),
  replicas: z.int().min(0).max(1_000_000).optional().meta({ description: 'Replicas of every workload, instead of those it names.' }),
  namespace: z.string().min(1).max(63).optional().meta({ description: 'Of objects that name none; default: default.' }),
});
export type PrecheckBody = z.output<typeof precheckBody>;

const status = z.enum(['pass', 'warn', 'fail', 'unknown']);

const workloadSchema = z.object({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  update: z.boolean().meta({ description: 'The workload exists: this is an update of it.' }),
  replicas: z.int(),
  placed: z.int(),
  placements: z.array(z.object({ node: z.string(), replicas: z.int() })),
  message: z.string().meta({ description: 'What kube-scheduler would print about a pending replica; "" if none is pending.' }),
  nodes: z.array(z.object({ node: z.string(), reasons: z.array(z.string()) })).meta({ description: 'Why each node refuses a pending replica.' }),
  status,
  checks: z.array(
    z.object({
      check: z.string().meta({ examples: ['fit'] }),
      status,
      reason: z.string(),
      fix: z.string().meta({ description: 'What would make it pass; "" where nothing has to.' }),
      details: z.array(z.string()),
    }),
  ),
});

export const precheckResponse = z
  .object({
    cluster: z.string(),
    ...originShape,
    status: status.meta({ description: 'The gravest of all; fail where the manifests cannot be used.' }),
    workloads: z.array(workloadSchema),
    problems: z
      .array(z.object({ document: z.int(), line: z.int(), field: z.string(), message: z.string() }))
      .meta({ description: 'Not empty: the manifests cannot be used as they are, and nothing was checked.' }),
  })
  .meta({ id: 'Precheck', description: 'Would these manifests run on this cluster, and if not, why and what would help.' });
export type PrecheckJson = z.output<typeof precheckResponse>;

function buildWorkload(workload: WorkloadVerdict): PrecheckJson['workloads'][number] {
  const { placements, nodes, checks } = workload;
  return {
    ...workload,
    placements: placements.map((placement) => ({ ...placement })),
    nodes: nodes.map(({ node, reasons }) => ({ node, reasons: [...reasons] })),
    checks: checks.map((check) => ({ ...check, details: [...check.details] })),
  };
}

/** The verdict of an answer. */
export function buildVerdict(answer: PrecheckAnswer): Pick<PrecheckJson, 'status' | 'workloads' | 'problems'> {
  if (!('workloads' in answer)) return { status: 'fail', workloads: [], problems: answer.problems.map((problem) => ({ ...problem })) };
  return { status: answer.status, workloads: answer.workloads.map(buildWorkload), problems: [] };
}
