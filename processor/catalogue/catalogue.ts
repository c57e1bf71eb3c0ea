/**
 * What podtrail knows about every cause beyond telling it: title, explanation, what to check and do in order, what not to do. Data
 * only, English and Chinese; one file a scenario. Placeholders in braces are filled with an incident's names by advice.ts.
 */
import type { ScenarioId } from '../scenarios/scenario.ts';
import { CONTAINER_CREATE_FAILURE } from './container-create-failure.ts';
import { CONTAINER_EXIT } from './container-exit.ts';
import { DEPENDENCY_ERROR } from './dependency-error.ts';
import { EVICTED } from './evicted.ts';
import { IMAGE_PULL_FAILURE } from './image-pull-failure.ts';
import { INIT_FAILURE } from './init-failure.ts';
import { LIFECYCLE_HOOK_FAILURE } from './lifecycle-hook-failure.ts';
import { LIVENESS_PROBE_FAILURE } from './liveness-probe-failure.ts';
import { NODE_LOST } from './node-lost.ts';
import { OOM_KILLED } from './oom-killed.ts';
import { READINESS_PROBE_FAILURE } from './readiness-probe-failure.ts';
import { SCHEDULING_FAILURE } from './scheduling-failure.ts';
import { STUCK_TERMINATING } from './stuck-terminating.ts';
import type { ScenarioEntry } from './entry.ts';

/** By scenario, in the order of design.md §4. */
export const CATALOGUE: Readonly<Record<ScenarioId, ScenarioEntry>> = {
  scheduling_failure: SCHEDULING_FAILURE,
  image_pull_failure: IMAGE_PULL_FAILURE,
  dependency_error: DEPENDENCY_ERROR,
  container_create_failure: CONTAINER_CREATE_FAILURE,
  init_failure: INIT_FAILURE,
  lifecycle_hook_failure: LIFECYCLE_HOOK_FAILURE,
  readiness_probe_failure: READINESS_PROBE_FAILURE,
  liveness_probe_failure: LIVENESS_PROBE_FAILURE,
  container_exit: CONTAINER_EXIT,
  oom_killed: OOM_KILLED,
  evicted: EVICTED,
  node_lost: NODE_LOST,
  stuck_terminating: STUCK_TERMINATING,
};
