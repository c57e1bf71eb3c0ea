/** Headers of every answer, and the check of the host name that keeps foreign web pages off an unauthenticated loopback server. */
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from './errors.ts';

/** Content security policy of the dashboard and the JSON routes: our own files, nothing inline. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/** Swagger UI styles its elements inline and shows data: images. */
export const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CSP,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  // no-cache: a stored answer is asked about again (ETag), and never shared between users.
  'cache-control': 'private, no-cache',
};

/** Whether an address or name means this machine alone. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1') return true;
  return isIP(bare) === 4 && bare.startsWith('127.');
}

/** Sets the headers; also where no hook runs, for errors before there is a route. */
export function setSecurityHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(HEADERS);
  reply.header('x-request-id', request.id);
}

/**
 * Sets the headers of every answer. While the server is for this machine only, it answers only to names of this machine: a page of another origin
 * that makes its name resolve to 127.0.0.1 (DNS rebinding) could read everything otherwise.
 */
export function registerSecurity(app: FastifyInstance, options: { readonly allowRemote: boolean; readonly allowedHosts: readonly string[] }): void {
  const allowed = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  app.addHook('onRequest', async (request, reply) => {
    setSecurityHeaders(request, reply);
    if (options.allowRemote) return;
    const host = request.hostname ?? '';
    if (!isLoopback(host) && !allowed.has(host.toLowerCase())) {
      throw new ApiError('PODTRAIL_API_HOST_REFUSED', 'this server listens for its own machine only: use localhost, or allow the name by configuration');
    }
  });
}
