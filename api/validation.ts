/** Validation of requests by zod, with one addition: a parameter that may be repeated is a list also when it is given once. */
import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler as zodValidatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';

/** The innermost type: `.optional()` and `.default()` taken off. */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrap(schema.def.innerType as z.ZodType);
  return schema;
}

function listKeys(schema: z.ZodType): readonly string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const shape = schema.shape as Record<string, z.ZodType>;
  return Object.keys(shape).filter((key) => shape[key] !== undefined && unwrap(shape[key]) instanceof z.ZodArray);
}

/** Fastify's hook for schemas: `?cluster=a` and `?cluster=a&cluster=b` both reach an array schema as arrays. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = (route) => {
  const validate = zodValidatorCompiler(route);
  const lists = route.httpPart === 'querystring' ? listKeys(route.schema) : [];
  if (lists.length === 0) return validate;
  return (data: Record<string, unknown>) => {
    const given: Record<string, unknown> = { ...data };
    for (const key of lists) if (typeof given[key] === 'string') given[key] = [given[key]];
    return validate(given);
  };
};
