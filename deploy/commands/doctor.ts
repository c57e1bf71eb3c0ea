/** `podtrail doctor`: looks at everything that podtrail stands on, changes nothing, and says what to fix. */
import type { Command } from 'commander';
import { readConfig } from '../begin.ts';
import { chooseClusters } from '../clusters.ts';
import type { Config } from '../config.ts';
import { checkChangeLog } from '../doctor/change-log.ts';
import { checkCluster } from '../doctor/cluster.ts';
import { type Finding, messageOf, warn } from '../doctor/finding.ts';
import { checkDisk, checkNode } from '../doctor/runtime.ts';
import { checkStore } from '../doctor/store.ts';
import { EXIT } from '../errors.ts';
import { print, printable, repeatable } from '../output.ts';

interface Options {
  readonly config?: string;
  readonly data?: string;
  readonly cluster?: readonly string[];
}

/** Adds the command. `exit` is told 1 when something fails. */
export function addDoctorCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('check Node, disk, change log, store and clusters (versions, rights, clocks), and say what to fix; changes nothing')
    .option('--config <file>', 'YAML configuration')
    .option('--data <directory>', "standalone's data directory")
    .option('--cluster <name[=context]>', 'check this cluster; repeatable', repeatable)
    .action(async (options: Options) => {
      const findings = await diagnose(readConfig(options), options.cluster ?? []);
      for (const finding of findings) print(findingText(finding));
      exit(findings.some(({ status }) => status === 'fail') ? EXIT.failed : EXIT.ok);
    });
}

/** Everything that can be found about a configuration and the clusters that it, or the flags, name. */
export async function diagnose(config: Config, flags: readonly string[]): Promise<Finding[]> {
  const findings = [
    checkNode(process.versions.node),
    ...(await checkDisk(config)),
    ...(await checkChangeLog(config.changeLog)),
    ...(await checkStore(config.store)),
  ];
  try {
    const clusters = chooseClusters(config.collector, flags);
    if (clusters.length === 0)
      findings.push(warn('clusters', 'none is configured, and there is no kube context', 'name one with --cluster or collector.clusters'));
    for (const { config: cluster } of clusters) findings.push(...(await checkCluster(cluster, config.collector)));
  } catch (error) {
    findings.push({ status: 'fail', about: 'clusters', text: messageOf(error), fix: 'check the kubeconfig and collector.clusters' });
  }
  return findings;
}

/** A finding as lines for a person. */
export function findingText({ status, about, text, fix }: Finding): string {
  const line = `${status.padEnd(4)}  ${about}: ${text}`;
  return printable(line) + (fix === '' ? '' : `\n      → ${printable(fix)}`);
}
