/** GET /: the page and its files, read once at start. Everything it shows it fetches from the JSON routes. */
import { readFileSync } from 'node:fs';
import type { App } from '../routes/deps.ts';

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const FILES: readonly (readonly [url: string, file: string, type: string])[] = [
  ['/', './page.html', 'text/html; charset=utf-8'],
  ['/dashboard/page.css', './page.css', 'text/css; charset=utf-8'],
  ...['page', 'client', 'clusters', 'detail', 'format', 'list'].map((name) => [`/dashboard/${name}.js`, `./${name}.js`, JAVASCRIPT] as const),
];

/** Registers the dashboard. */
export function registerDashboard(app: App): void {
  for (const [url, file, type] of FILES) {
    const content = readFileSync(new URL(file, import.meta.url), 'utf8');
    app.get(url, { schema: { hide: true } }, (_request, reply) => reply.type(type).send(content));
  }
}
