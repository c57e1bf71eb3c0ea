/** GET /: the page and its two files, read once at start. Everything it shows it fetches from the JSON routes. */
import { readFileSync } from 'node:fs';
import type { App } from '../routes/deps.ts';

const FILES = [
  { url: '/', file: './page.html', type: 'text/html; charset=utf-8' },
  { url: '/dashboard/page.js', file: './page.js', type: 'text/javascript; charset=utf-8' },
  { url: '/dashboard/page.css', file: './page.css', type: 'text/css; charset=utf-8' },
];

/** Registers the dashboard. */
export function registerDashboard(app: App): void {
  for (const { url, file, type } of FILES) {
    const content = readFileSync(new URL(file, import.meta.url), 'utf8');
    app.get(url, { schema: { hide: true } }, (_request, reply) => reply.type(type).send(content));
  }
}
