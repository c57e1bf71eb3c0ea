/** Entity tags for JSON answers, so that a page that polls is sent what changed and nothing else. */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** Whether a header If-None-Match names the tag; weak comparison (RFC 9110 §13.1.2). */
function matches(header: string, tag: string): boolean {
  return header === '*' || header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === tag.replace(/^W\//, ''));
}

/** Tags every answer 200 to a GET whose body is at hand; answers 304 without a body where the client has it already. */
export function registerEtag(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload: unknown) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload);
    if (!bytes || reply.statusCode !== 200 || (request.method !== 'GET' && request.method !== 'HEAD')) return payload;
    const tag = `W/"${createHash('sha256').update(payload).digest('base64url').slice(0, 22)}"`;
    reply.header('etag', tag);
    const known = request.headers['if-none-match'];
    if (known === undefined || !matches(known, tag)) return payload;
    reply.code(304).removeHeader('content-length');
    return '';
  });
}
