/** What routes make of an answer that comes from the state of a cluster. */
import { z } from 'zod';
import type { Answer, Answered } from '../../processor/states.ts';
import { StoreError } from '../../sql/errors.ts';
import { ApiError } from '../errors.ts';
import { toApiError } from '../store.ts';
import { formatOptionalTime, formatTime, optionalJsonTime } from '../time-range.ts';

/** The answer itself. Throws ApiError: NOT_FOUND, STATE_UNAVAILABLE, or what the store failed with. */
export async function expectAnswer<T>(asked: Promise<Answer<T>> | undefined, what: string): Promise<Answered<T>> {
  if (asked === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'this process has no state to ask');
  const answer = await asked.catch((error: unknown) => {
    throw error instanceof StoreError ? toApiError(what, error) : error;
  });
  switch (answer.kind) {
    case 'answer':
      return answer;
    case 'no_cluster':
      throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no cluster of this name is processed');
    case 'not_found':
      throw new ApiError('PODTRAIL_API_NOT_FOUND', answer.reason);
    case 'unavailable':
      throw new ApiError('PODTRAIL_API_STATE_UNAVAILABLE', answer.reason);
  }
}

/** Where an answer comes from, in every response of this kind. */
export const originShape = {
  asOf: optionalJsonTime.meta({ description: 'Time of the last record in the state that was asked; null before the first.' }),
  source: z.enum(['live', 'checkpoint']).meta({ description: 'live: the state in this process. checkpoint: the last one that a processor stored.' }),
  checkpointTime: optionalJsonTime.meta({ description: 'When the checkpoint was stored; null for a live answer.' }),
};

/** The values of originShape. */
export function originOf({ asOfMs, checkpointTimeMs }: Answered<unknown>) {
  return {
    asOf: formatOptionalTime(asOfMs),
    source: checkpointTimeMs === undefined ? ('live' as const) : ('checkpoint' as const),
    checkpointTime: checkpointTimeMs === undefined ? null : formatTime(checkpointTimeMs),
  };
}
