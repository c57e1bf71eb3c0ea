/** The OpenAPI 3.1 document, made from the routes' zod schemas, and Swagger UI over it, served from its own files. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './routes/deps.ts';
import { DOCS_CSP } from './security.ts';

const DESCRIPTION = `What happened to the pods of your clusters, why, and where it keeps happening.

Times are RFC 3339 in UTC. A range defaults to the last 24 hours and is bounded. Repeating a filter means any of its values; filters of
different names must all hold. Lists are paged: pass \`next\` as \`cursor\` with the same parameters. Answers carry an ETag: send it as
If-None-Match to be told that nothing changed. Errors are problem details (RFC 9457) with a stable \`code\`; where one may pass by itself,
Retry-After says when to try again. Unknown parameters are refused.`;

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40"><text x="0" y="28" fill="white" font-family="system-ui, sans-serif" font-size="26" font-weight="700">podtrail</text></svg>';

type TransformObject = typeof jsonSchemaTransformObject;
type Part = Readonly<Record<string, unknown>>;

/** What zod writes and no reader needs: the bounds of safe integers, the pattern behind a date-time, and that no field may be added. */
function isNoise(key: string, value: unknown, part: Part): boolean {
  if (key === 'additionalProperties') return value === false;
  if (key === 'minimum' || key === 'maximum') return Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
  return key === 'pattern' && part['format'] === 'date-time';
}

/** The document without noise, and with the description of its schema for each answer that has none of its own. */
function tidy(value: unknown, describe: (ref: string) => string | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => tidy(item, describe));
  if (value === null || typeof value !== 'object') return value;
  const part = value as Part;
  const entries = Object.entries(part).filter(([key, child]) => !isNoise(key, child, part));
  const tidied = Object.fromEntries(entries.map(([key, child]) => [key, tidy(child, describe)]));
  if (tidied['description'] !== 'Default Response') return tidied;
  const [, ref] = /"#\/components\/schemas\/([^"]+)"/.exec(JSON.stringify(part['content'])) ?? [];
  return { ...tidied, description: (ref === undefined ? undefined : describe(ref)) ?? 'Success.' };
}

/** The components that something refers to: the library writes each one twice, as input and as output. */
function usedSchemas(rest: unknown, all: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const used = new Set<string>();
  const visit = (part: unknown): void => {
    for (const [, name = ''] of JSON.stringify(part ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(all[name]);
    }
  };
  visit(rest);
  return Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
}

const transformObject: TransformObject = (document) => {
  const { components, ...rest } = jsonSchemaTransformObject(document) as { readonly components?: { readonly schemas?: Record<string, Part> } };
  const all = components?.schemas ?? {};
  const whole = { ...rest, components: { ...components, schemas: usedSchemas(rest, all) } };
  return tidy(whole, (ref) => all[ref]?.['description'] as string | undefined) as ReturnType<TransformObject>;
};

/** Registers the document at /openapi.json and the page at /docs; call before the routes, which it collects. */
export async function registerOpenApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'podtrail', description: DESCRIPTION, version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      tags: [
        { name: 'incidents', description: 'What went wrong, why, and how often.' },
        { name: 'pods', description: 'What happened to single pods.' },
        { name: 'capacity', description: 'What still fits where, what is lost to fragmentation, and whether a workload would run.' },
        { name: 'clusters', description: 'What podtrail sees, and when it was blind.' },
        { name: 'balance', description: 'What came in and what became of it.' },
        { name: 'process', description: 'This process.' },
      ],
    },
    transform: jsonSchemaTransform,
    transformObject,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_CSP,
    uiConfig: { docExpansion: 'list', deepLinking: true, validatorUrl: null },
    logo: { type: 'image/svg+xml', content: LOGO },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
