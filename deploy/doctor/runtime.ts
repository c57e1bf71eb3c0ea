/** The machine: Node, disk. */
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { type Finding, fail, messageOf, ok, warn } from './finding.ts';

const MIB = 1_048_576;
/** Below it nothing embedded starts well: a segment of the change log and a merge of chDB. */
const LEAST_FREE_BYTES = 256 * MIB;

/** engines of package.json. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > 20 || (major === 20 && minor >= 19);
  return isEnough ? ok('Node', version) : fail('Node', `${version} is too old`, 'install Node 20.19 or newer');
}

/** Disk of the embedded parts: what is there against what they may grow to. Empty when nothing is embedded. */
export async function checkDisk(config: Config): Promise<Finding[]> {
  const wanted = new Map<string, number>();
  if (config.changeLog.kind === 'embedded') wanted.set(config.changeLog.directory, config.changeLog.retentionBytes);
  if (config.store.url === undefined && config.store.directory !== undefined) wanted.set(config.store.directory, config.store.maxBytes);
  const findings: Finding[] = [];
  for (const [directory, mayGrowTo] of wanted) {
    const about = `disk of ${directory}`;
    try {
      const { bavail, bsize } = await statfs(await existingParent(directory));
      const freeBytes = bavail * bsize;
      const text = `${Math.floor(freeBytes / MIB)} MiB free, and it may grow to ${Math.ceil(mayGrowTo / MIB)} MiB`;
      if (freeBytes < LEAST_FREE_BYTES) findings.push(fail(about, text, 'make room, or choose another dataDirectory'));
      else if (freeBytes < mayGrowTo)
        findings.push(warn(about, text, 'fine if it is in use already; else make room, or lower changeLog.retentionBytes or store.maxBytes'));
      else findings.push(ok(about, text));
    } catch (error) {
      findings.push(fail(about, messageOf(error), 'choose another dataDirectory'));
    }
  }
  return findings;
}

async function existingParent(directory: string): Promise<string> {
  for (let at = resolve(directory); ; at = dirname(at)) {
    const exists = await statfs(at).then(
      () => true,
      () => false,
    );
    if (exists || at === dirname(at)) return at;
  }
}
