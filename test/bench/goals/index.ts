/** The goals that are measured here, in the order of their worth. */
import type { Goal } from '../goal.ts';
import { besideInformer, firstList, podMemory, watchEvents } from './collector.ts';
import { endToEnd, idle } from './live.ts';
import { disk, pipelineSpeed } from './pipeline.ts';
import { processorSpeed, rulesCost } from './processor.ts';
import { checkpoints, restart } from './state.ts';

export const GOALS: readonly Goal[] = [
  processorSpeed,
  rulesCost,
  watchEvents,
  restart,
  checkpoints,
  podMemory,
  firstList,
  besideInformer,
  endToEnd,
  idle,
  pipelineSpeed,
  disk,
];
