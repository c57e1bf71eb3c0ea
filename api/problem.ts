/** The body of every error answer: application/problem+json, RFC 9457. */
import { z } from 'zod';
import type { ParameterIssue, ProblemCode } from './errors.ts';
import { ApiError, PROBLEMS } from './errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';
/** Retry-After, seconds, of problems that may pass by themselves. */
export const RETRY_AFTER_SECONDS = 2;

const problemSchema = z
  .object({
    type: z.string().meta({ description: 'URN of the problem, made of its code.' }),
    title: z.string().meta({ description: 'What kind of problem it is; the same text for the same code.' }),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]).meta({ description: 'Stable code: decide on it, never on the text.' }),
    detail: z.string().meta({ description: 'What was wrong this time.' }),
    requestId: z.string().meta({ description: 'Also in the header x-request-id and in the log.' }),
    errors: z
      .array(z.object({ in: z.enum(['query', 'path', 'body', 'header']), parameter: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'The parameters that were refused, by name.' }),
  })
  .meta({
    id: 'Problem',
    description: 'An error as problem details (RFC 9457).',
    examples: [
      {
        type: 'urn:podtrail:problem:api-invalid-parameter',
        title: 'A parameter is not valid',
        status: 400,
        code: 'PODTRAIL_API_INVALID_PARAMETER',
        detail: 'limit: expected a number up to 500',
        requestId: 'req-1',
        errors: [{ in: 'query', parameter: 'limit', message: 'expected a number up to 500' }],
      },
    ],
  });
export type Problem = z.output<typeof problemSchema>;

/** The problem of an error, as it goes out. */
export function buildProblem(error: ApiError, requestId: string): Problem {
  const { code, status } = error;
  return {
    type: `urn:podtrail:problem:${code.replace('PODTRAIL_', '').toLowerCase().replaceAll('_', '-')}`,
    title: PROBLEMS[code].title,
    status,
    code,
    detail: error.message,
    requestId,
    ...(error.issues.length > 0 ? { errors: [...error.issues] } : {}),
  };
}

const describe = (description: string) => ({ description, content: { [PROBLEM_TYPE]: { schema: problemSchema } } });

/** What every route that queries the store may answer besides its result. */
export const problemResponses = {
  400: describe('A parameter, the range or the cursor is not valid; `errors` names it.'),
  422: describe('The query would read or return too much: narrow it.'),
  500: describe('The request failed; the log has the reason under requestId.'),
  503: describe('Too many queries, one that took too long, or no answer of the store. Retry-After says when to try again.'),
};

/** Likewise for a route that names one thing. */
export const problemResponsesOfOne = { ...problemResponses, 404: describe('There is no such thing.') };

const FASTIFY_CODES: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['PODTRAIL_API_BODY_TOO_LARGE', 'the body is larger than this server takes'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['PODTRAIL_API_UNSUPPORTED_MEDIA_TYPE', 'send application/json'],
  FST_ERR_BAD_URL: ['PODTRAIL_API_BAD_REQUEST', 'the address is not valid percent-encoding'],
  FST_ERR_HANDLER_TIMEOUT: ['PODTRAIL_API_QUERY_TIMEOUT', 'no answer within the time a request may take; try again'],
};

const PARTS: Readonly<Record<string, ParameterIssue['in']>> = { querystring: 'query', params: 'path', body: 'body', headers: 'header' };

interface Validation {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params?: { readonly keys?: readonly string[] };
}

function issuesOf(part: ParameterIssue['in'], validation: readonly Validation[]): ParameterIssue[] {
  return validation.flatMap(({ keyword, instancePath, message, params }) => {
    if (keyword === 'unrecognized_keys') return (params?.keys ?? []).map((parameter) => ({ in: part, parameter, message: 'is not a parameter of this route' }));
    return [{ in: part, parameter: instancePath.split('/')[1] ?? '', message }];
  });
}

interface FrameworkError {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: readonly Validation[];
  readonly validationContext?: string;
}

/** Whatever a route or Fastify threw, as the error that the client sees. Unknown ones become INTERNAL with the original as cause. */
export function normalizeError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const error = (thrown ?? {}) as FrameworkError;
  if (Array.isArray(error.validation)) {
    const issues = issuesOf(PARTS[error.validationContext ?? ''] ?? 'query', error.validation);
    const detail = issues.map((issue) => `${issue.parameter}: ${issue.message}`).join('; ');
    return new ApiError('PODTRAIL_API_INVALID_PARAMETER', detail.slice(0, 2_000), { issues: issues.slice(0, 50), cause: thrown });
  }
  const known = typeof error.code === 'string' ? FASTIFY_CODES[error.code] : undefined;
  if (known !== undefined) return new ApiError(known[0], known[1], { cause: thrown });
  const status = Number(error.statusCode);
  if (status >= 400 && status < 500) return new ApiError('PODTRAIL_API_BAD_REQUEST', 'the request cannot be read', { cause: thrown });
  return new ApiError('PODTRAIL_API_INTERNAL', 'the request failed; the log has the reason', { cause: thrown });
}
