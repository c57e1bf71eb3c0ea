/** The registry: every scenario, in the order of the catalogue, and nothing else. */
import type { Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [];
