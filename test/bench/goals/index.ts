/** The goals that are measured here, by number; 21 and 22 are not of the list. */
import type { Goal } from '../goal.ts';
import { capacity } from './capacity.ts';
import { capacityCost } from './capacity-cost.ts';
import { besideInformer, firstList, podMemory, watchEvents } from './collector.ts';
import { endToEnd, idle } from './live.ts';
import { disk, pipelineSpeed } from './pipeline.ts';
import { processorSpeed, rulesCost } from './processor.ts';
import { checkpoints, restart } from './state.ts';

export const GOALS: readonly Goal[] = [
  watchEvents,
  besideInformer,
  podMemory,
  firstList,
  processorSpeed,
  pipelineSpeed,
  endToEnd,
  checkpoints,
  restart,
  idle,
  disk,
  rulesCost,
  capacity,
  capacityCost,
];
