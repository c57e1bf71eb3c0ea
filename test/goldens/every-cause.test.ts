/** Every cause of the catalogue is shown by a recording or by a situation, and has a look-alike that must not be told as it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOGUE } from '../../processor/catalogue/catalogue.ts';
import { SCENARIO_IDS } from '../../processor/scenarios/scenario.ts';
import { LABELS } from '../helpers/goldens.ts';
import { toldOf } from '../helpers/situations.ts';
import { PLACEMENT } from './situations/placement.ts';
import { RUNS } from './situations/runs.ts';
import { STARTS } from './situations/starts.ts';

const SITUATIONS = [...PLACEMENT, ...STARTS, ...RUNS];
for (const { cause, objects, alike, alikeIs, besides, lasts = 900 } of SITUATIONS) {
  const told = (of: typeof objects): readonly string[] => toldOf(of, lasts).filter((each) => each !== besides);
  test(`${cause} is told as that`, () => assert.deepEqual(told(objects), [cause]));
  test(`what looks like ${cause} is ${alikeIs || 'nothing'}`, () => assert.deepEqual(told(alike), alikeIs === '' ? [] : [alikeIs]));
}

/**
 * By cause that a recording shows: one that looks like it and has another label, or none. That both are told as their labels say is
 * what labels.test.ts shows.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  'scheduling_failure/insufficient_resources': 'sched-frag',
  'scheduling_failure/resource_fragmentation': 'sched-cpu',
  'scheduling_failure/quota_exceeded': 'limitrange',
  'scheduling_failure/node_selector_mismatch': 'sched-affinity',
  'scheduling_failure/affinity_mismatch': 'sched-selector',
  'scheduling_failure/untolerated_taint': 'sched-nonode',
  'scheduling_failure/no_available_node': 'sched-taint',
  'scheduling_failure/unbound_volume': 'sched-gated',
  'scheduling_failure/resource_claim': 'sched-gated',
  'scheduling_failure/host_port_conflict': 'spread',
  'scheduling_failure/topology_spread': 'sched-antiaffinity',
  'scheduling_failure/node_admission_rejected': 'sched-cpu',
  'image_pull_failure/image_not_found': 'img-401',
  'image_pull_failure/invalid_image_name': 'img-404',
  'image_pull_failure/registry_auth': 'img-404',
  'image_pull_failure/registry_network': 'img-hang',
  'image_pull_failure/pull_timeout': 'img-refused',
  'image_pull_failure/pull_throttled': 'img-401',
  'image_pull_failure/image_never_pull': 'img-404',
  'dependency_error/missing_configmap': 'dep-cm-key',
  'dependency_error/missing_secret': 'dep-cm-volume',
  'dependency_error/missing_key': 'config-gone',
  'dependency_error/volume_attach_failed': 'nfs-refused',
  'dependency_error/mount_failed': 'csi-nodriver',
  'dependency_error/illegal_mount_path': 'dep-hostpath',
  'container_create_failure/bad_command': 'exit-126',
  'container_create_failure/missing_command': 'create-noent',
  'container_create_failure/security_policy': 'vap-deny',
  'container_create_failure/admission_denied': 'create-psa',
  'container_create_failure/missing_service_account': 'quota-pods',
  'container_create_failure/memory_limit_too_low': 'oom-limit',
  'container_create_failure/sandbox_failed': 'create-notfound',
  'init_failure/init_exit': 'exit-1',
  'init_failure/init_oom': 'oom-limit',
  'init_failure/init_stuck': 'ready-slow-ok',
  'lifecycle_hook_failure/poststart_failed': 'exit-1',
  'lifecycle_hook_failure/prestop_failed': 'sigterm-short',
  'readiness_probe_failure/probe_connection_refused': 'ready-404h',
  'readiness_probe_failure/probe_timeout': 'ready-slow-ok',
  'readiness_probe_failure/probe_exec': 'ready-timeout',
  'readiness_probe_failure/probe_misconfigured': 'ready-slow-ok',
  'readiness_probe_failure/readiness_gate': 'ready-slow-ok',
  'liveness_probe_failure/probe_connection_refused': 'live-exec',
  'liveness_probe_failure/probe_http_status': 'ready-404h',
  'liveness_probe_failure/probe_exec': 'ready-exec',
  'liveness_probe_failure/startup_probe_failed': 'ready-slow-ok',
  'container_exit/exit_immediate': 'exit-once',
  'container_exit/exit_after_run': 'oom-limit',
  'container_exit/deadline_exceeded': 'job-ok',
  'oom_killed/container_limit': 'exit-143',
  'evicted/memory_pressure': 'drain-ok',
  'evicted/ephemeral_limit': 'press-mem',
  'node_lost/node_unreachable': 'drain-ok',
  'stuck_terminating/finalizer': 'term-ok',
};

for (const scenario of SCENARIO_IDS) {
  for (const cause of Object.keys(CATALOGUE[scenario].causes).filter((each) => each !== 'other')) {
    test(`${scenario}/${cause} is shown, and so is what looks like it`, () => {
      const name = `${scenario}/${cause}`;
      if (SITUATIONS.some((situation) => situation.cause === name && situation.alikeIs !== name)) return;
      const shown = Object.values(LABELS).some((label) => label.scenario === scenario && label.cause === cause && label.or !== 'none');
      assert(shown, 'no recording and no situation shows it');
      const alike = LABELS[LOOK_ALIKES[name] ?? ''];
      assert(alike !== undefined, 'no recording looks like it');
      assert(alike.scenario !== scenario || ![alike.cause, ...(alike.also ?? [])].includes(cause), 'the look-alike may be told as it');
    });
  }
}
