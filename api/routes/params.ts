/** Query and path parameters that several routes share. A repeated parameter means any of its values. */
import { z } from 'zod';

/** Most values of one repeated parameter. */
const MAX_VALUES = 50;

const list = (item: z.ZodType<string>, description: string, example: string) =>
  z
    .array(item)
    .max(MAX_VALUES, `expected at most ${MAX_VALUES} values`)
    .default([])
    .meta({ description: `${description} Repeat for any of several.`, examples: [[example]] });

/** A filter by free text, matched exactly. `max` by the longest name Kubernetes allows. */
export const textList = (description: string, example: string, max = 253) => list(z.string().min(1).max(max), description, example);
/** A filter by a closed set of words. */
export const wordList = <T extends string>(words: readonly [T, ...T[]], description: string) =>
  z
    .array(z.enum(words))
    .max(MAX_VALUES)
    .default([])
    .meta({ description: `${description} Repeat for any of several.`, examples: [[words[0]]] });

export const clusterList = textList('Name of a cluster.', 'prod-eu1', 128);
/** '' names what has no namespace. */
export const namespaceList = list(z.string().max(63), 'A namespace.', 'shop');

export const clusterName = z
  .string()
  .min(1)
  .max(128)
  .meta({ description: 'Name of a cluster as configured.', examples: ['prod-eu1'] });
export const uid = z
  .string()
  .regex(/^[0-9A-Za-z_.-]{1,128}$/, 'expected a uid')
  .meta({ description: 'uid of a pod.', examples: ['0d2b9c1e-3f6a-4b0e-9a55-0f6a7c1d2e3f'] });
