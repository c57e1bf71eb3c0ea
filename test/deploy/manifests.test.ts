/** What operators are handed: manifests that podtrail can start from, and a guide whose metrics exist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { createAdmission } from '../../api/admission.ts';
import { createApiMetrics } from '../../api/metrics.ts';
import { createCollectorMetrics } from '../../collector/metrics.ts';
import { loadConfig } from '../../deploy/config.ts';
import { CommandError } from '../../deploy/errors.ts';
import { FAMILIES } from '../../deploy/main.ts';
import { createProcessorMetrics } from '../../processor/metrics.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly volumeMounts: readonly { readonly name: string }[];
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly strategy?: { readonly type: string };
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly initContainers?: readonly Container[];
        readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}

const root = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');
const manifests = ['collector', 'podtrail'].flatMap((file) =>
  parseAllDocuments(read(`deploy/k8s/${file}.yaml`)).map((document) => document.toJS() as Manifest),
);
const deployments = manifests.filter(({ kind }) => kind === 'Deployment');
const configMaps = manifests.filter(({ kind }) => kind === 'ConfigMap');
const { version } = JSON.parse(read('package.json')) as { version: string };

test('every Deployment runs a command of this release on a configuration that is there', () => {
  const commands = FAMILIES.flatMap((family) => family.commands);
  assert.deepEqual(
    deployments.map(({ metadata }) => metadata.name),
    ['podtrail-collector', 'podtrail-processor', 'podtrail-api'],
  );
  for (const { metadata, spec } of deployments) {
    const { containers = [], initContainers = [], volumes = [] } = spec?.template.spec ?? {};
    for (const { image, args, volumeMounts } of [...containers, ...initContainers]) {
      assert.equal(image, `podtrail:${version}`);
      assert.ok(commands.includes(args[0] ?? ''), `${metadata.name}: ${args[0]}`);
      assert.deepEqual(args.slice(1), ['--config', '/config/podtrail.yaml']);
      for (const { name } of volumeMounts) assert.ok(volumes.some((volume) => volume.name === name));
    }
    for (const { configMap } of volumes) if (configMap !== undefined) assert.ok(configMaps.some(({ metadata: { name } }) => name === configMap.name));
  }
});

test('processors stop before the database is migrated, and start after it', () => {
  const processor = deployments.find(({ metadata }) => metadata.name === 'podtrail-processor')?.spec;
  assert.equal(processor?.strategy?.type, 'Recreate');
  assert.deepEqual(
    processor?.template.spec.initContainers?.map(({ args }) => args[0]),
    ['migrate'],
  );
});

test('the configurations are valid, share their log, and a collector is refused until it has a name', () => {
  const folder = tempFolder();
  const load = (name: string, text: string) => loadConfig({ file: folder.write(name, text), env: {} });
  const text = (name: string): string => configMaps.find(({ metadata }) => metadata.name === name)?.data?.['podtrail.yaml'] ?? '';
  assert.throws(
    () => load('unnamed', text('podtrail-collector')),
    (error) => error instanceof CommandError && /collector\.clusters\[0\]\.name/.test(error.message),
  );
  const collector = load('named', text('podtrail-collector').replace('<NAME>', 'prod-eu1')).changeLog;
  const centre = load('centre', text('podtrail')).changeLog;
  assert.deepEqual({ ...collector, brokers: [] }, { ...centre, brokers: [] });
});

test('every metric that the guide names is one of ours', async () => {
  const registry = new Registry();
  createCollectorMetrics(registry, { watchAges: () => [], buffers: () => [] });
  createProcessorMetrics(registry, { status: () => ({ pendingRows: 0, partitions: [], clusters: [] }), observeEnds: async () => {} }, () => 0);
  createApiMetrics(registry, createAdmission({ concurrency: 1, queue: 1, queueMs: 1 }));
  const ours = new Set((await registry.getMetricsAsJSON()).map(({ name }) => name));
  const named = [...read('deploy/README.md').matchAll(/\bpodtrail_(?:collector|processor|api)_[a-z_]+\b/g)].map(([name]) => name.replace(/_bucket$/, ''));
  assert.ok(named.length >= 10);
  for (const name of named) assert.ok(ours.has(name), name);
});

test('the image takes every folder that podtrail is made of, and keeps what it cannot start without', () => {
  const dockerfile = read('deploy/Dockerfile');
  for (const folder of ['collector', 'processor', 'sql', 'api', 'deploy']) assert.match(dockerfile, new RegExp(`^COPY ${folder} ${folder}$`, 'm'));
  // tsx needs esbuild's binary, an optional package of esbuild; chdb is the only one of ours.
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { optional?: boolean; optionalDependencies?: object }> };
  assert.equal(packages['node_modules/@esbuild/linux-x64']?.optional, true);
  assert.doesNotMatch(dockerfile, /^RUN .*omit[= ]optional/m);
  assert.deepEqual(Object.keys(packages['']?.optionalDependencies ?? {}), ['chdb']);
});
