/** Some minutes in the life of a small cluster, as records: crash loops, recoveries, pods that go, a relist, silence. */
import type { ChangeRecord, ClusterRef } from '../../collector/change-record.ts';
import { containerStatus, createDriver, rawPod } from './driver.ts';

const crashed = (restarts: number, at: string): Record<string, unknown> =>
  containerStatus(
    { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' } },
    { restartCount: restarts, lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: at, finishedAt: at } } },
  );
const running = (at: string): Record<string, unknown> => containerStatus({ running: { startedAt: at } }, { ready: true });

/** Records of one cluster, in order. `pods` of them crash; the rest of the story is the same. */
export function historyOf(cluster: ClusterRef, pods = 3): ChangeRecord[] {
  const driver = createDriver();
  const names = Array.from({ length: pods }, (_, i) => `pod-${i}`);
  driver.begin({ pods: names.map((name) => rawPod(name, running(driver.at(0)))), namespaces: [] });
  driver.advance(30);
  for (const [i, name] of names.entries()) {
    for (let restarts = 1; restarts <= 4; restarts++) {
      driver.change('MODIFIED', 'pods', rawPod(name, crashed(restarts, driver.at(driver.now()))));
      driver.advance(10 + i);
    }
  }
  driver.advance(60);
  driver.change('MODIFIED', 'pods', rawPod('pod-0', running(driver.at(driver.now()))));
  driver.advance(700);
  driver.change('DELETED', 'pods', rawPod('pod-1', crashed(4, driver.at(driver.now()))));
  driver.silence(120);
  driver.drop('pods');
  driver.list('pods', [rawPod('pod-0', running(driver.at(driver.now()))), rawPod('pod-new', crashed(9, driver.at(driver.now())))]);
  driver.heartbeat();
  driver.advance(120);
  return driver.records.map((record) => ({ ...record, cluster }));
}

/** The first of two histories, then the other, in turns: one partition of a log. */
export function interleave(...histories: readonly (readonly ChangeRecord[])[]): ChangeRecord[] {
  const longest = Math.max(...histories.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => histories.flatMap((history) => history[i] ?? [])).flat();
}
