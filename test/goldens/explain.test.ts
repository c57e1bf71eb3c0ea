/** `explain` on what `kubectl get pods,events -o json` would have printed while a labelled case was failing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordingLine } from '../../collector/recording.ts';
import { explain } from '../../processor/explain.ts';
import { encodeLines, LABELS, linesOf, replayAll } from '../helpers/goldens.ts';

const KINDS: Readonly<Record<string, string>> = {
  pods: 'Pod',
  events: 'Event',
  nodes: 'Node',
  resourcequotas: 'ResourceQuota',
  persistentvolumeclaims: 'PersistentVolumeClaim',
  replicasets: 'ReplicaSet',
  deployments: 'Deployment',
};

interface RawObject {
  readonly metadata: { readonly uid: string };
}

/** The objects of these resources as they stood at a time. */
function listAt(lines: readonly RecordingLine[], atMs: number, resources: readonly string[]): unknown[] {
  const objects = new Map<string, unknown>();
  for (const line of lines) {
    const kind = KINDS[line.resource];
    if (line.t > atMs || kind === undefined || !resources.includes(line.resource)) continue;
    const put = (object: RawObject): void => void objects.set(object.metadata.uid, { kind, ...object });
    if (line.type === 'LIST') for (const item of (line.object as { items: RawObject[] | null }).items ?? []) put(item);
    else if (line.type === 'DELETED') objects.delete((line.object as RawObject).metadata.uid);
    else if (line.type === 'ADDED' || line.type === 'MODIFIED') put(line.object as RawObject);
  }
  return [...objects.values()];
}

/** Byte-identical messages, or none at all: only nodes, or claims, tell these causes apart. */
const NODES_DECIDE = new Set(['sched-frag', 'sched-nonode', 'sched-taint', 'drained', 'noexec', 'claim-provisioning']);
/** The hook fails while the pod goes, SIGKILL is its end, and a Job at its deadline takes its pods along: there is nothing left to print. */
const GONE = new Set(['hook-prestop', 'job-deadline', 'ignored-sts']);
/** Silence for minutes, while other Events of a saved list tell that less has passed. */
const TIME_DECIDES = new Set(['img-hang', 'poststart-hang']);
/** The list is read at once, or was saved and is read a year later. */
const READ_AFTER_MS = [0, 31_536_000_000];
/** How long after an incident opened somebody looks, ms; in the middle of a negative case where none opens. */
const LOOKED_AFTER_MS = 15_000;
const LOOKED_AT_MS = 200_000;

for (const [name, label] of Object.entries(LABELS)) {
  if (GONE.has(name)) continue;
  test(`${name}: ${label.scenario ?? 'nothing'} (${label.cause})`, async () => {
    const lines = await linesOf(`cases/${name}.ndjson.gz`);
    const incident = replayAll(encodeLines(lines))
      .incidents()
      .find((i) => i.scenario === label.scenario);
    const atMs = incident === undefined ? lines[0]!.t + LOOKED_AT_MS : Date.parse(incident.openedTime) + LOOKED_AFTER_MS;
    const reads = [false, true].flatMap((withNodes) => READ_AFTER_MS.map((afterMs) => ({ withNodes, afterMs })));
    for (const { withNodes, afterMs } of reads) {
      if (afterMs > 0 && TIME_DECIDES.has(name)) continue;
      const resources = withNodes ? Object.keys(KINDS) : ['pods', 'events'];
      const findings = explain(listAt(lines, atMs, resources), atMs + afterMs).objects.flatMap((o) => o.findings);
      const failing = findings.filter((f) => !f.starting).map((f) => f.signal);
      if (label.scenario === null) {
        assert.deepEqual(failing, []);
        continue;
      }
      const right = failing.filter((s) => s.scenario === label.scenario || s.scenario === label.or);
      assert.ok(right.length > 0 || label.or === 'none', `found ${failing.map((s) => `${s.scenario}/${s.cause}`).join(', ') || 'nothing'}`);
      const others = failing.filter((s) => !right.includes(s) && !(label.besides ?? []).includes(s.scenario));
      assert.deepEqual(
        others.map((s) => `${s.scenario}/${s.cause}`),
        [],
      );
      const causes = [label.cause, ...(label.also ?? [])];
      for (const signal of right) {
        if (signal.scenario !== label.scenario) continue;
        if (withNodes || !NODES_DECIDE.has(name)) assert.ok(causes.includes(signal.cause), `cause ${signal.cause}`);
        else assert.equal(signal.confidence, 'guess');
      }
    }
  });
}
