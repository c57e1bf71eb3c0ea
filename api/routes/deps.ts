/** What every route is given. */
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CapacityQuestions } from '../../processor/capacity-questions.ts';
import type { AskWhy } from '../../processor/why.ts';
import type { ApiConfig } from '../config.ts';
import type { Store } from '../store.ts';
import type { AdviceJson } from './incidents/schema.ts';

/** The application with zod as its type provider. */
export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

export type Lang = 'en' | 'zh';

/** What an advice fills its commands in from. null and undefined: not known. */
export interface AdviceAbout {
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string; readonly container: string };
  readonly shared: { readonly image: string | null; readonly registry: string | null; readonly node: string | null; readonly claim: string | null };
  /** A member that fails now, else the one that failed first. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
}

/** What to check and do about a cause; undefined where the catalogue has nothing. Given by the composition root. */
export type Advice = (scenario: string, cause: string, lang: Lang, about: AdviceAbout) => AdviceJson | undefined;

export interface RouteDeps {
  readonly config: ApiConfig;
  readonly store: Store;
  /** Epoch ms. */
  readonly now: () => number;
  /** A recording plays instead of real clusters. */
  readonly demo: boolean;
  readonly status: (() => unknown) | undefined;
  readonly advice: Advice | undefined;
  /** Given by the composition root: it knows where the clusters' state is. */
  readonly why: AskWhy | undefined;
  readonly capacity: CapacityQuestions | undefined;
}
