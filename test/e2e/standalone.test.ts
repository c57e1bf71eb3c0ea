/** The first minutes with podtrail, and the bad ones: standalone as a process of its own, started, stopped, killed, refused. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import type { IncidentJson } from '../../processor/replay.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { createPlayedCase } from '../helpers/played-case.ts';
import { type Cli, getJson, runCli, startCli, waitForLine, waitUntil } from '../helpers/podtrail-cli.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const START_TIMEOUT_MS = 60_000;
const waitForUrl = (cli: Cli): Promise<string> => waitForLine(cli, /podtrail is at (\S+)/, START_TIMEOUT_MS);

interface Incidents {
  readonly items: readonly IncidentJson[];
}
interface Clusters {
  readonly demo: boolean;
  readonly process: readonly { readonly name: string; readonly state: string; readonly reason?: string }[] | null;
}

interface Coverage {
  readonly items: readonly { readonly intervals: readonly { readonly state: 'complete' | 'blind'; readonly from: string; readonly to: string }[] }[];
}

async function interrupt(cli: Cli): Promise<void> {
  cli.kill('SIGINT');
  const { code, stderr } = await cli.ended;
  assert.equal(code, 0, stderr);
}

test('without a kube context it says so and plays the demo, shows incidents, and ends with Ctrl-C', async () => {
  const cwd = tempFolder().path;
  const cli = startCli(['--port', '0'], { cwd });
  const url = await waitForUrl(cli);
  assert.match(cli.stderr(), /^no kube context is configured .*: playing a recording of a real cluster/);
  assert.match(cli.stderr(), /data is kept in data-demo, anew at every start/);
  const { items } = await waitUntil('incidents', cli, async () => {
    const found = await getJson<Incidents>(`${url}/v1/incidents?state=open`);
    return found !== undefined && found.items.length > 0 ? found : undefined;
  });
  assert.ok(items.every(({ cluster, openedTime }) => cluster === 'demo' && Date.now() - Date.parse(openedTime) < 3_600_000));
  assert.equal((await getJson<Clusters>(`${url}/v1/clusters`))?.demo, true);
  assert.match(await (await fetch(url)).text(), /<title>/);

  // Of any state: what was open a moment ago may be over in the part that plays fast.
  const listed = await runCli(['incidents', '--url', url]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /^ID +AGE +CLUSTER +STATE +SCENARIO/);
  const id = /^([0-9a-f]{12}) .* Pod\//m.exec(listed.stdout)?.[1] ?? ''; // one that has members, whichever is the newest
  const shown = await runCli(['incident', id, '--url', url]);
  assert.equal(shown.code, 0, shown.stderr);
  for (const section of ['Cause', 'What to do', 'Timeline', 'Evidence', 'Pods']) assert.match(shown.stdout, new RegExp(`^${section}`, 'm'));
  const watching = startCli(['incidents', '--url', url, '-w', '-o', 'ndjson']);
  await waitUntil('the first incident', watching, () => watching.stdout().includes('\n') || undefined);
  await interrupt(watching);

  const second = await runCli(['--demo', '--port', '0'], { cwd });
  assert.equal(second.code, 2);
  assert.match(second.stderr, /process \d+ uses this directory; another podtrail works on this data.*PODTRAIL_LOG_LOCKED/);
  assert.ok(await getJson<Incidents>(`${url}/v1/incidents`), 'the first one goes on');
  await interrupt(cli);
});

test('killed and started again it goes on: the same incidents, each once, the books balanced, the gap on record', async () => {
  const server = await startFakeApiServer();
  after(() => server.close());
  const folder = tempFolder();
  const env = { KUBECONFIG: folder.write('kubeconfig', fakeKubeconfig({ shop: server.url })) };
  const args = ['--port', '0', '--data', `${folder.path}/data`];
  const played = createPlayedCase(server, 'exit-sidecar', 53, 25);
  const watched = (cli: Cli) => waitUntil('the cluster is watched', cli, () => server.watching('pods') === 1 || undefined);
  const listIncidents = async (url: string): Promise<readonly IncidentJson[]> => (await getJson<Incidents>(`${url}/v1/incidents`))?.items ?? [];

  const first = startCli(args, { env });
  const firstUrl = await waitForUrl(first);
  assert.match(
    first.stderr(),
    /^collecting shop \(context shop at http:\S+\): get, list and watch only\ndata is kept in .*\/data\/change-log and .*\/data\/store\n/,
  );
  await watched(first);
  const playing = played.play();
  const before = await waitUntil('its incident', first, async () => {
    const items = await listIncidents(firstUrl);
    return items.length > 0 ? items : undefined;
  });
  const second = await runCli(args, { env });
  assert.equal(second.code, 2);
  assert.match(second.stderr, /uses this directory/);
  assert.equal((await listIncidents(firstUrl)).length, before.length, 'the first one goes on');
  const killedMs = Date.now();
  first.kill('SIGKILL');
  await Promise.all([first.ended, playing]); // the cluster goes on while nobody looks

  const third = startCli(args, { env });
  const url = await waitForUrl(third);
  await watched(third);
  const watchedMs = Date.now();
  const gap = await waitUntil('the gap in the ledger, and its end', third, async () => {
    const coverage = await getJson<Coverage>(`${url}/v1/coverage?cluster=shop&resource=pods`);
    const intervals = coverage?.items[0]?.intervals ?? [];
    return intervals.at(-1)?.state === 'complete' ? intervals.find(({ state, to }) => state === 'blind' && Date.parse(to) > killedMs) : undefined;
  });
  assert.ok(Date.parse(gap.from) < killedMs + 1_000 && Date.parse(gap.to) < watchedMs + 1_000, JSON.stringify(gap));
  const now = await listIncidents(url);
  assert.deepEqual(
    now.map(({ id, cluster, scenario, cause, openedTime }) => ({ id, cluster, scenario, cause, openedTime })),
    before.map(({ id, cluster, scenario, cause, openedTime }) => ({ id, cluster, scenario, cause, openedTime })),
  );
  assert.deepEqual(
    now.map(({ cause, state }) => [cause, state]),
    [['exit_immediate', 'open']],
  );
  const { balanced } = await waitUntil('balanced books', third, async () => {
    const found = await getJson<{ balanced: boolean }>(`${url}/v1/balance`);
    return found?.balanced === true ? found : undefined;
  });
  assert.ok(balanced);
  await interrupt(third);
});

test('a cluster that does not answer is named with the reason and tried again, and the API is up', async () => {
  const folder = tempFolder();
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const kubeconfig = folder.write('kubeconfig', fakeKubeconfig({ gone: `http://127.0.0.1:${port}` }));
  const cli = startCli(['--port', '0', '--data', `${folder.path}/data`], { env: { KUBECONFIG: kubeconfig } });
  const url = await waitForUrl(cli);
  assert.match(await waitForLine(cli, /"reason":"([^"]+)","msg":"cluster or resource cannot be collected, retrying"/), /ECONNREFUSED/);
  const [cluster] = (await getJson<Clusters>(`${url}/v1/clusters`))?.process ?? [];
  assert.deepEqual({ name: cluster?.name, state: cluster?.state }, { name: 'gone', state: 'failing' });
  assert.match(cluster?.reason ?? '', /ECONNREFUSED/);
  await interrupt(cli);
});

/** A loader that hides a package as if its platform had none. */
const HIDE_CHDB = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve(specifier, context, next) {
      if (specifier === 'chdb') throw Object.assign(new Error('Cannot find package chdb'), { code: 'ERR_MODULE_NOT_FOUND' });
      return next(specifier, context);
    }\`));
`)}`;

const folder = tempFolder();
const kubeconfig = folder.write('kubeconfig', fakeKubeconfig({ one: 'http://127.0.0.1:1' }));
const otherData = `${folder.path}/other`;
mkdirSync(`${otherData}/precious`, { recursive: true });
const REFUSALS: readonly {
  readonly name: string;
  readonly args: readonly string[];
  readonly says: RegExp;
  readonly nodeArgs?: readonly string[];
  readonly env?: Record<string, string>;
}[] = [
  {
    name: 'a wrong key of the configuration',
    args: ['--config', folder.write('wrong-key.yaml', 'processor: {flushIntervalMillis: 5}\n')],
    says: /wrong-key\.yaml\) is not valid:[\s\S]*"flushIntervalMillis"[\s\S]*at processor/,
  },
  {
    name: 'a wrong value in the environment',
    args: [],
    env: { PODTRAIL_API__PORT: 'http' },
    says: /PODTRAIL_API__PORT[\s\S]*expected number[\s\S]*at api\.port/,
  },
  { name: 'an unknown variable', args: [], env: { PODTRAIL_API_PORT: '80' }, says: /PODTRAIL_API_PORT is no setting/ },
  { name: 'an unknown flag', args: ['standalone', '--fast'], says: /unknown option '--fast'\n[\s\S]*\(podtrail standalone --help/ },
  { name: 'an unknown command', args: ['incidentz'], says: /there is no command incidentz; did you mean incidents\?/ },
  { name: 'a word that is no command', args: ['frobnicate'], says: /there is no command frobnicate; there are standalone, / },
  { name: 'an unknown command after flags', args: ['--log-level', 'info', 'incidetns'], says: /there is no command incidetns; did you mean incidents\?/ },
  {
    name: 'a cluster of an unknown context',
    args: ['--cluster', 'shop=nowhere'],
    env: { KUBECONFIG: kubeconfig },
    says: /cluster shop: there is no kube context nowhere; there are: one\n/,
  },
  {
    name: 'another address than loopback',
    args: ['--demo', '--data', `${folder.path}/remote`, '--host', '0.0.0.0'],
    says: /has no authentication yet.*PODTRAIL_API_REMOTE_REFUSED/,
  },
  { name: 'a demo in a directory that holds other data', args: ['--demo', '--data', otherData], says: /holds other data/ },
  { name: 'a role without what it shares with others', args: ['processor'], says: /changeLog\.kind to kafka/ },
  {
    name: 'a platform without chDB',
    args: ['--demo', '--data', `${folder.path}/no-chdb`, '--port', '0'],
    nodeArgs: ['--import', HIDE_CHDB],
    says: /does not load on .*use a ClickHouse server instead: set store\.url \(PODTRAIL_STORE__URL\).*PODTRAIL_CHDB_MISSING/,
  },
];

test('it refuses to start with exit code 2 and a message that says why', { concurrency: 2 }, async (t) => {
  const cases = REFUSALS.map(({ name, args, says, nodeArgs = [], env = {} }) =>
    t.test(name, async () => {
      const { code, stderr, stdout } = await runCli(args, { nodeArgs, env });
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+/, 'no stack trace');
      assert.equal(stdout, '');
    }),
  );
  await Promise.all(cases);
});
