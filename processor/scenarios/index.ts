/** The registry: every scenario, in the order of the catalogue, and nothing else. */
import { containerExit } from './container-exit.ts';
import { imagePullFailure } from './image-pull-failure.ts';
import { livenessProbeFailure } from './liveness-probe-failure.ts';
import { oomKilled } from './oom-killed.ts';
import type { Scenario } from './scenario.ts';
import { schedulingFailure } from './scheduling-failure.ts';

export const SCENARIOS: readonly Scenario[] = [schedulingFailure, imagePullFailure, livenessProbeFailure, containerExit, oomKilled];
