/**
 * One real Kafka broker for tests: the one that PODTRAIL_TEST_KAFKA names (comma-separated addresses), else one of our own in
 * Docker, else one of our own from Maven's jars. Without any of them the suites skip and say why; with CI=true that is an error.
 * Run as a program it starts a broker, prints one JSON line ({ brokers } or { skip }), and stops it when standard input ends.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { SERVER_CERTIFICATE, SERVER_KEY } from './tls-fixture.ts';

const run = promisify(execFile);
const VERSION = '4.1.0';
const POM = fileURLToPath(new URL('kafka/pom.xml', import.meta.url));
const WATCHDOG = fileURLToPath(new URL('kafka/watchdog.sh', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/podtrail-kafka', import.meta.url));
const START_TIMEOUT_MS = 90_000;

export interface KafkaBroker {
  readonly brokers: string[];
  /** Address of the listener with TLS and SASL, if it was asked for. */
  readonly secureBrokers?: string[];
  /** Stops the broker if it is our own, and removes its data. */
  stop(): Promise<void>;
  /** Ends the broker in the orderly way and starts it again at the same address with the same data; also after kill(). */
  restart(): Promise<void>;
  /** Ends it at once, as a power failure would. */
  kill(): Promise<void>;
  /** It takes connections and requests, and answers none, for so long. */
  pause(ms: number): Promise<void>;
}

/** The user that the secure listener knows. */
export const TEST_USER = { username: 'podtrail', password: 'test-password' };

/**
 * `exclusive`: a broker of one's own, to be restarted and killed; only such a one can be. With `secure` it has a second address,
 * TLS by the certificate of tls-fixture.ts and SASL (PLAIN, SCRAM-SHA-512) for TEST_USER.
 */
export async function startKafka(options: { exclusive?: boolean; secure?: boolean } = {}): Promise<KafkaBroker | { skip: string }> {
  const given = process.env['PODTRAIL_TEST_KAFKA'];
  if (given && options.exclusive !== true && options.secure !== true) return externalBroker(given.split(','));
  const reasons: string[] = [];
  const ways = options.secure === true ? [() => startFromJars(true)] : [startInDocker, () => startFromJars(false)];
  for (const start of ways) {
    const started = await start();
    if (!('skip' in started)) return started;
    reasons.push(started.skip);
  }
  const skip = `no Kafka broker: ${given ? 'not the given one, for it is shared' : 'PODTRAIL_TEST_KAFKA is not set'}, ${reasons.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(skip);
  return { skip };
}

function externalBroker(brokers: string[]): KafkaBroker {
  const refuse = () => Promise.reject(new Error('this broker is shared: start an exclusive one'));
  return { brokers, stop: async () => undefined, restart: refuse, kill: refuse, pause: refuse };
}

async function startInDocker(): Promise<KafkaBroker | { skip: string }> {
  const answers = await run('docker', ['info'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  );
  if (!answers) return { skip: 'Docker does not answer' };
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await findFreePort();
  const settings = { ...brokerSettings(`0.0.0.0:9092`, `127.0.0.1:${port}`, '127.0.0.1:9093'), 'log.dirs': '/tmp/kafka-data' };
  const environment = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]));
  const container = await new GenericContainer(`apache/kafka:${VERSION}`)
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({ ...environment, KAFKA_HEAP_OPTS: '-Xmx512m' })
    .withWaitStrategy(Wait.forListeningPorts())
    .start();
  const brokers = [`127.0.0.1:${port}`];
  await waitUntilReady(brokers, () => undefined);
  return {
    brokers,
    stop: async () => void (await container.stop()),
    restart: async () => {
      await container.restart({ timeout: 30_000 });
      await waitUntilReady(brokers, () => undefined);
    },
    kill: async () => void (await run('docker', ['kill', container.getId()])),
    pause: async (ms) => {
      await run('docker', ['pause', container.getId()]);
      await delay(ms);
      await run('docker', ['unpause', container.getId()]);
    },
  };
}

async function startFromJars(secure: boolean): Promise<KafkaBroker | { skip: string }> {
  const jars = await copyJars();
  if (typeof jars !== 'string') return jars;
  const directory = await mkdtemp(join(tmpdir(), 'podtrail-kafka-'));
  const address = `127.0.0.1:${await findFreePort()}`;
  const secureAddress = `127.0.0.1:${await findFreePort()}`;
  const plain = { ...brokerSettings(address, address, `127.0.0.1:${await findFreePort()}`), 'log.dirs': join(directory, 'data') };
  const keyStore = join(directory, 'keystore.pem');
  await writeFile(keyStore, `${SERVER_KEY}\n${SERVER_CERTIFICATE}\n`);
  const settings = secure ? addSecureListener(plain, secureAddress, keyStore) : plain;
  const file = join(directory, 'server.properties');
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const java = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(jars, '*')];
  await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', 'cG9kdHJhaWwtdGVzdC0wMQ', '-c', file, '--add-scram', SCRAM_USER]);
  let server = await startServer([...java, 'kafka.Kafka', file], [address]);
  return {
    brokers: [address],
    ...(secure ? { secureBrokers: [secureAddress] } : {}),
    stop: async () => {
      await server.end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
    restart: async () => {
      await server.end('SIGTERM');
      server = await startServer([...java, 'kafka.Kafka', file], [address]);
    },
    kill: () => server.end('SIGKILL'),
    pause: (ms) => server.pause(ms),
  };
}

/** One node that is broker and controller, on loopback, quick to start and to rebalance, and that creates no topic by itself. */
function brokerSettings(listen: string, advertised: string, controller: string): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${listen},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${advertised}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
  };
}

const SCRAM_USER = `SCRAM-SHA-512=[name=${TEST_USER.username},password=${TEST_USER.password}]`;

function addSecureListener(settings: Record<string, string>, address: string, keyStore: string): Record<string, string> {
  const modules = 'org.apache.kafka.common.security';
  return {
    ...settings,
    listeners: `${settings['listeners']},SASL_SSL://${address}`,
    'advertised.listeners': `${settings['advertised.listeners']},SASL_SSL://${address}`,
    'listener.security.protocol.map': `${settings['listener.security.protocol.map']},SASL_SSL:SASL_SSL`,
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${TEST_USER.username}="${TEST_USER.password}";`,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyStore,
  };
}

/** Directory of the broker's jars: copied once by Maven, whole or not at all. */
async function copyJars(): Promise<string | { skip: string }> {
  const target = join(CACHE, VERSION);
  if (existsSync(target)) return target;
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'draft-'));
  try {
    await run('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${draft}`]);
    if ((await readdir(draft)).length === 0) return { skip: 'Maven copied no jars' };
    await rename(draft, target).catch((error) => {
      if (!existsSync(target)) throw error; // else another process was faster
    });
    return target;
  } catch (error) {
    return { skip: `Maven cannot fetch the broker (${(error as Error).message.split('\n')[0]})` };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

interface Server {
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  pause(ms: number): Promise<void>;
}

async function startServer(args: string[], brokers: string[]): Promise<Server> {
  const child = spawn('sh', [WATCHDOG, 'java', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let pid: number | undefined;
  child.stdout.once('data', (text: unknown) => {
    pid = Number(/^pid (\d+)/.exec(String(text))?.[1]);
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-8_000);
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (signal === 'SIGTERM') {
      child.kill('SIGTERM');
      await exited;
    }
    child.stdin.end();
    await exited;
  };
  const pause = async (ms: number) => {
    if (pid === undefined) throw new Error('the broker has not told its pid');
    process.kill(pid, 'SIGSTOP');
    await delay(ms);
    process.kill(pid, 'SIGCONT');
  };
  try {
    await waitUntilReady(brokers, () => (hasExited(child) ? `the broker ended: ${output}` : undefined));
    return { end, pause };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** A listening socket is not enough: a broker answers before it is registered. */
async function waitUntilReady(brokers: string[], whyNot: () => string | undefined): Promise<void> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  let last: unknown;
  while (Date.now() < deadlineMs) {
    const reason = whyNot();
    if (reason !== undefined) throw new Error(reason);
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
    try {
      await admin.connect();
      if ((await admin.describeCluster()).brokers.length > 0) return;
    } catch (error) {
      last = error;
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
    await delay(200);
  }
  throw new Error(`the broker was not ready in ${START_TIMEOUT_MS} ms`, { cause: last });
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const broker = await startKafka();
  process.stdout.write(`${JSON.stringify('skip' in broker ? broker : { brokers: broker.brokers })}\n`);
  if (!('skip' in broker)) {
    process.stdin.resume();
    await new Promise((resolve) => process.stdin.once('end', resolve));
    await broker.stop();
  }
}
