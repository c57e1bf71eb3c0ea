/** The registry: every scenario, in the order of the catalogue, and nothing else. */
import { containerCreateFailure } from './container-create-failure.ts';
import { containerExit } from './container-exit.ts';
import { dependencyError } from './dependency-error.ts';
import { evicted } from './evicted.ts';
import { imagePullFailure } from './image-pull-failure.ts';
import { initFailure } from './init-failure.ts';
import { lifecycleHookFailure } from './lifecycle-hook-failure.ts';
import { livenessProbeFailure } from './liveness-probe-failure.ts';
import { nodeLost } from './node-lost.ts';
import { oomKilled } from './oom-killed.ts';
import { readinessProbeFailure } from './readiness-probe-failure.ts';
import type { Scenario } from './scenario.ts';
import { schedulingFailure } from './scheduling-failure.ts';
import { stuckTerminating } from './stuck-terminating.ts';

export const SCENARIOS: readonly Scenario[] = [
  schedulingFailure,
  imagePullFailure,
  dependencyError,
  containerCreateFailure,
  initFailure,
  lifecycleHookFailure,
  readinessProbeFailure,
  livenessProbeFailure,
  containerExit,
  oomKilled,
  evicted,
  nodeLost,
  stuckTerminating,
];
