/** GET /v1/fragmentation by what was sampled; below it a shape node by node and the remedy, by the state of the cluster. */
import { z } from 'zod';
import type { Amounts } from '../../../processor/capacity/amounts.ts';
import type { RemedyAbout, RemedyAnswer, ShapeAnswer } from '../../../processor/capacity-questions.ts';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses, problemResponsesOfOne } from '../../problem.ts';
import { formatTime } from '../../time-range.ts';
import type { Prices } from '../capacity/cost.ts';
import { roundCost } from '../capacity/cost.ts';
import type { SampleRow } from '../capacity/rows.ts';
import { LATEST_WITHIN_MS, latestQuery } from '../capacity/rows.ts';
import { poolOf } from '../capacity/schema.ts';
import type { App, RouteDeps } from '../deps.ts';
import { expectAnswer, originOf } from '../state-answer.ts';
import type { FragmentationJson, FragmentationQuery, PictureJson, RemedyJson, RemedyQuery } from './schema.ts';
import { fragmentationQuery, fragmentationResponse, pictureParams, pictureResponse, remedyQuery, remedyResponse } from './schema.ts';

const cursors = createCursorCodec('fragmentation', z.tuple([z.string(), z.string(), z.string()]));

/** A shape in a pool as it goes out. */
export function buildShape(row: SampleRow): FragmentationJson {
  return {
    cluster: row.cluster,
    pool: row.pool,
    shape: row.shape,
    origin: row.origin === 'configured' ? 'configured' : 'requested',
    time: formatTime(row.time_ms),
    demand: row.demand,
    eligibleNodes: row.nodes,
    k: row.k,
    kStar: row.k_star,
    phi: row.phi,
    bindingResource: row.binding || null,
  };
}

async function fragmentation(deps: RouteDeps, query: FragmentationQuery, signal: AbortSignal) {
  const cursor = cursors.decode({ ...query });
  const atMs = cursor?.range.toMs ?? (query.at === undefined ? deps.now() : Date.parse(query.at));
  const filter = { clusters: query.cluster, pools: query.pool.map(poolOf), shapes: query.shape, of_shapes: 1 };
  const after = [...(cursor?.key ?? ['', '', ''])];
  const rows = await deps.store.rows(latestQuery, { ...filter, from: atMs - LATEST_WITHIN_MS, at: atMs, after, limit: query.limit + 1 }, signal);
  const { page, last } = cutPage(rows, query.limit);
  const next = last === undefined ? null : cursors.encode({ ...query }, { range: { fromMs: 0, toMs: atMs }, key: [last.cluster, last.pool, last.shape] });
  return { items: page.map(buildShape), next };
}

/** Resources with an amount above 0, by name. */
function buildAmounts({ cpu, memory, ephemeralStorage, pods, scalars }: Amounts): Record<string, number> {
  const named = { cpu, memory, 'ephemeral-storage': ephemeralStorage, pods, ...Object.fromEntries(scalars ?? []) };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value > 0));
}

function buildFit({ k, kStar, phi, bindingResource }: ShapeAnswer['fit']) {
  return { k, kStar, phi, bindingResource: bindingResource || null };
}

async function picture(deps: RouteDeps, { cluster, pool, shape }: z.output<typeof pictureParams>): Promise<PictureJson> {
  const name = poolOf(pool);
  const answered = await expectAnswer(deps.capacity?.shape(cluster, name, shape), 'shape');
  const { fit, nodes } = answered.answer;
  return {
    cluster,
    pool: name,
    shape,
    ...originOf(answered),
    ...buildFit(fit),
    nodes: nodes.map(({ node, free, allocatable, copies, eligible, excluded, reasons }) => ({
      ...{ node, copies, eligible, reasons: [...reasons], excluded: excluded ?? null },
      free: buildAmounts(free),
      allocatable: buildAmounts(allocatable),
    })),
  };
}

function aboutOf({ shape, pool, namespace = '', pod = '', copies }: RemedyQuery, prices: Prices): RemedyAbout {
  if (shape === undefined) return { namespace, pod, copies, prices };
  return { shape, pool: poolOf(pool ?? ''), copies, prices };
}

function buildRemedy({ remedy: { fit, move, noMoveReason, addNodes, nodeSize }, text }: RemedyAnswer) {
  return {
    ...buildFit(fit),
    text,
    move:
      move === undefined
        ? null
        : {
            moves: move.moves.map((each) => ({ ...each, request: buildAmounts(each.request), freeBefore: buildAmounts(each.freeBefore) })),
            node: move.node,
            freeAfter: buildAmounts(move.freeAfter),
            exact: move.exact,
          },
    noMoveReason: noMoveReason || null,
    addNodes: addNodes === undefined ? null : { ...addNodes, size: buildAmounts(addNodes.size), perHour: roundCost(addNodes.perHour) },
    nodeSize: nodeSize === undefined ? null : { ...nodeSize, size: buildAmounts(nodeSize.size) },
  };
}

async function remedy(deps: RouteDeps, query: RemedyQuery): Promise<RemedyJson> {
  const answered = await expectAnswer(deps.capacity?.remedy(query.cluster, aboutOf(query, deps.config.prices)), 'remedy');
  return { cluster: query.cluster, ...originOf(answered), ...buildRemedy(answered.answer) };
}

/** Registers the routes. */
export function registerFragmentation(app: App, deps: RouteDeps): void {
  const tags = ['capacity'];
  app.get(
    '/v1/fragmentation',
    {
      schema: {
        operationId: 'listFragmentation',
        tags,
        summary: 'How much of the free space is lost to fragmentation, by pod shape',
        description: 'Configured shapes, and those that most pods have. From the last sample of each cluster.',
        querystring: fragmentationQuery,
        response: { 200: fragmentationResponse, ...problemResponses },
      },
    },
    (request) => fragmentation(deps, request.query, request.signal),
  );
  app.get(
    '/v1/fragmentation/remedy',
    {
      schema: {
        operationId: 'getRemedy',
        tags,
        summary: 'The fewest, cheapest pods to move so that a shape or a pod fits; else nodes to add; else a node size',
        querystring: remedyQuery,
        response: { 200: remedyResponse, ...problemResponsesOfOne },
      },
    },
    (request) => remedy(deps, request.query),
  );
  app.get(
    '/v1/fragmentation/:cluster/:pool/shapes/:shape',
    {
      schema: {
        operationId: 'getShape',
        tags,
        summary: 'A pod shape node by node',
        params: pictureParams,
        response: { 200: pictureResponse, ...problemResponsesOfOne },
      },
    },
    (request) => picture(deps, request.params),
  );
}
