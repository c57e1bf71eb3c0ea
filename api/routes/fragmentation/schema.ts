/** What the routes below /v1/fragmentation take and return. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { jsonTime } from '../../time-range.ts';
import { at, poolList } from '../capacity/schema.ts';
import { clusterList, clusterName, textList } from '../params.ts';
import { originShape } from '../state-answer.ts';

export const fragmentationQuery = z.strictObject({
  cluster: clusterList,
  pool: poolList,
  shape: textList('A pod shape.', '2c4Gi', 256),
  at,
  ...pageParams,
});
export type FragmentationQuery = z.output<typeof fragmentationQuery>;

const fitShape = {
  k: z.int().meta({ description: 'Copies that fit now.' }),
  kStar: z.int().meta({ description: 'Copies that would fit if the free space of the eligible nodes were one node.' }),
  phi: z.number().meta({ description: '1 − k/kStar; 0: nothing lost, 1: there is space, and nothing fits.' }),
  bindingResource: z.string().nullable().meta({ description: 'The resource that limits kStar.' }),
};

const shapeSchema = z
  .object({
    cluster: z.string(),
    pool: z.string().meta({ description: 'Name of the pool; "" is the whole cluster.' }),
    shape: z.string().meta({ description: 'Request, and a hash of the constraints where there are any.', examples: ['2c4Gi'] }),
    origin: z.enum(['configured', 'requested']),
    time: jsonTime,
    demand: z.number().meta({ description: "Share of the pool's pods that have this shape." }),
    eligibleNodes: z.int().meta({ description: 'Nodes that pass every filter but the one for resources.' }),
    ...fitShape,
  })
  .meta({ id: 'Fragmentation', description: 'What fits of a pod shape in a node pool.' });
export type FragmentationJson = z.output<typeof shapeSchema>;

export const fragmentationResponse = z.object({ items: z.array(shapeSchema), next: nextCursor }).meta({ id: 'FragmentationList' });

const poolName = z.string().min(1).max(253);
export const pictureParams = z.strictObject({
  cluster: clusterName,
  pool: poolName.meta({ description: 'Name of the pool; "-" is the whole cluster.', examples: ['general'] }),
  shape: z
    .string()
    .min(1)
    .max(256)
    .meta({ description: 'A shape of /v1/fragmentation, or a request such as 2c4Gi.', examples: ['2c4Gi'] }),
});

/** Amounts by the name of the resource; cpu in millicores, memory and ephemeral-storage in bytes, others in units. */
export const amounts = z.record(z.string(), z.number()).meta({
  description: 'By resource: cpu in millicores, memory and ephemeral-storage in bytes, others in units.',
  examples: [{ cpu: 1_600, memory: 3_436_183_552, pods: 107 }],
});

export const pictureResponse = z
  .object({
    cluster: z.string(),
    pool: z.string(),
    shape: z.string(),
    ...originShape,
    ...fitShape,
    nodes: z.array(
      z.object({
        node: z.string(),
        free: amounts,
        allocatable: amounts,
        copies: z.int().meta({ description: 'Copies that its free space takes; 0 where it is not eligible.' }),
        eligible: z.boolean(),
        excluded: z.enum(['cordoned', 'not_ready', 'virtual']).nullable().meta({ description: 'Why it does not count.' }),
        reasons: z.array(z.string()).meta({ description: 'Why no copy fits, in the words of the scheduler.' }),
      }),
    ),
  })
  .meta({ id: 'ShapePicture', description: 'A pod shape node by node, as the cluster is now.' });
export type PictureJson = z.output<typeof pictureResponse>;

export const remedyQuery = z
  .strictObject({
    cluster: clusterName,
    pool: poolName.optional().meta({ description: 'With shape: its pool; without one any node.' }),
    shape: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'For one more of this shape.', examples: ['2c4Gi'] }),
    namespace: z.string().min(1).max(63).optional().meta({ description: 'Namespace of the pod.' }),
    pod: z.string().min(1).max(253).optional().meta({ description: 'For this pod, with its namespace.' }),
    copies: z.coerce.number().int().min(1).max(10_000).default(1).meta({ description: 'How many the nodes to add are for.' }),
  })
  .refine((query) => (query.shape === undefined) !== (query.pod === undefined), { path: ['shape'], message: 'name a shape, or a pod with its namespace' })
  .refine((query) => query.pod === undefined || query.namespace !== undefined, { path: ['namespace'], message: 'name the namespace of the pod' });
export type RemedyQuery = z.output<typeof remedyQuery>;

export const remedyResponse = z
  .object({
    cluster: z.string(),
    ...originShape,
    ...fitShape,
    text: z.string().meta({ description: 'The remedy in one sentence.' }),
    move: z
      .object({
        moves: z.array(
          z.object({
            namespace: z.string(),
            pod: z.string(),
            from: z.string(),
            to: z.string(),
            request: amounts,
            priority: z.int(),
            freeBefore: amounts.meta({ description: 'Free on the destination before the pod arrives: it fits.' }),
          }),
        ),
        node: z.string().meta({ description: 'Where the shape then fits.' }),
        freeAfter: amounts,
        exact: z.boolean().meta({ description: 'No plan has fewer moves, nor as many at a lower cost. false: found by a heuristic.' }),
      })
      .nullable(),
    noMoveReason: z.string().nullable().meta({ description: 'Why no pod is to be moved.' }),
    addNodes: z
      .object({
        count: z.int(),
        size: amounts.meta({ description: 'Free on such a node after its DaemonSets.' }),
        like: z.string(),
        perHour: z.number().meta({ description: 'What all of them cost, by api.prices.' }),
      })
      .nullable()
      .meta({ description: 'The nodes to add for `copies` that cost least; null where no node of the present sizes could hold one.' }),
    nodeSize: z.object({ size: amounts, nodes: z.int() }).nullable().meta({ description: 'Node size at which nothing would be lost.' }),
  })
  .meta({ id: 'Remedy', description: 'The cheapest way to make a shape, or a pod, fit.' });
export type RemedyJson = z.output<typeof remedyResponse>;
