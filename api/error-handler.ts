/** Every error of the server, from a broken request line to a failed query, leaves as a problem (problem.ts) and is logged once. */
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ProblemCode } from './errors.ts';
import { ApiError } from './errors.ts';
import { buildProblem, normalizeError, PROBLEM_TYPE, RETRY_AFTER_SECONDS } from './problem.ts';
import { setSecurityHeaders } from './security.ts';

/** Sends the problem of an error: 4xx logs at info, 5xx at error with its cause. The address is logged as the route's pattern only. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = normalizeError(thrown);
  const fields = { method: request.method, route: request.routeOptions.url ?? '(none)', code: error.code, status: error.status };
  if (error.status >= 500) request.log.error({ ...fields, err: error.cause ?? error }, 'request failed');
  else request.log.info(fields, 'request refused');
  setSecurityHeaders(request, reply);
  if (error.retriable) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(buildProblem(error, request.id));
}

/** The routes as registered: whether a path exists under another method is not something Fastify answers. */
interface KnownRoute {
  readonly pattern: RegExp;
  readonly methods: readonly string[];
}

function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
}

/** Installs the error and not-found handlers; call before any route is registered. A known path under another method is 405. */
export function registerErrorHandlers(app: FastifyInstance): void {
  const known: KnownRoute[] = [];
  app.addHook('onRoute', (route) => {
    known.push({ pattern: patternOf(route.url), methods: [route.method].flat() });
  });
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = [...new Set(known.filter((route) => route.pattern.test(path)).flatMap((route) => route.methods))].sort();
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return sendProblem(new ApiError('PODTRAIL_API_NOT_FOUND', 'no route has this address; /openapi.json lists them'), request, reply);
    }
    reply.header('allow', allowed.join(', '));
    return sendProblem(new ApiError('PODTRAIL_API_METHOD_NOT_ALLOWED', `this address takes ${allowed.join(', ')}`), request, reply);
  });
}

const SOCKET_CODES: Readonly<Record<string, readonly [ProblemCode, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['PODTRAIL_API_REQUEST_TIMEOUT', 'the request did not arrive in time', 'Request Timeout'],
  HPE_HEADER_OVERFLOW: ['PODTRAIL_API_HEADERS_TOO_LARGE', 'the request head is larger than this server takes', 'Request Header Fields Too Large'],
};

/** Answers what never became a request: a broken request line, a slow or an oversized head. */
export function answerSocketError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, detail, reason] = SOCKET_CODES[error.code ?? ''] ?? (['PODTRAIL_API_BAD_REQUEST', 'the request is not HTTP/1.1', 'Bad Request'] as const);
  const problem = buildProblem(new ApiError(code, detail), 'none');
  const body = JSON.stringify(problem);
  const head = [`HTTP/1.1 ${problem.status} ${reason}`, `content-type: ${PROBLEM_TYPE}`, `content-length: ${Buffer.byteLength(body)}`, 'connection: close'];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
