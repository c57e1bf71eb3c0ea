#!/usr/bin/env node
// The bin: checks the runtime, registers the TypeScript loader, hands over to main.ts. Plain JavaScript so that any Node can say why not.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`podtrail needs Node 20.19 or newer; this is ${process.versions.node}`);
  process.exit(2);
}
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./main.ts');
await main(process.argv);
