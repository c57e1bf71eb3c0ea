/** What limits, ranks and scales pods: namespaces, quotas, limit ranges, priority classes, disruption budgets, autoscalers. */
import type { OtherObject, ResourceQuota } from './objects.ts';
import { conditions, filled, flag, labelSelector, list, number, numberOrText, quantities, type Raw, shape, text, texts } from './project-fields.ts';

type Kept = Pick<OtherObject, 'spec' | 'status'>;

/** Without the finalizers of its spec: the metadata and the conditions say what holds a namespace back. */
const namespaceStatus = shape<Record<string, unknown>>({ phase: filled, conditions });

export function projectNamespace(raw: Raw): Kept {
  return { status: namespaceStatus(raw['status']) ?? {} };
}

const scopeRequirement = shape<{ scopeName: string; operator: string; values?: readonly string[] }>(
  { scopeName: text, operator: text, values: texts },
  'scopeName',
  'operator',
);
const quotaSpec = shape<ResourceQuota['spec']>({
  hard: quantities,
  scopes: texts,
  scopeSelector: shape<NonNullable<ResourceQuota['spec']['scopeSelector']>>({ matchExpressions: list(scopeRequirement) }),
});
const quotaStatus = shape<ResourceQuota['status']>({ hard: quantities, used: quantities });

export function projectResourceQuota(raw: Raw): Pick<ResourceQuota, 'spec' | 'status'> {
  return { spec: quotaSpec(raw['spec']) ?? {}, status: quotaStatus(raw['status']) ?? {} };
}

const limits = shape<Record<string, unknown>>({
  limits: list(
    shape<Record<string, unknown>>({
      type: filled,
      max: quantities,
      min: quantities,
      default: quantities,
      defaultRequest: quantities,
      maxLimitRequestRatio: quantities,
    }),
  ),
});

export function projectLimitRange(raw: Raw): Kept {
  return { spec: limits(raw['spec']) ?? {} };
}

const priorityClass = shape<Record<string, unknown>>({ value: number, globalDefault: flag, preemptionPolicy: filled });

export function projectPriorityClass(raw: Raw): object {
  return priorityClass(raw) ?? {};
}

const budgetSpec = shape<Record<string, unknown>>({
  minAvailable: numberOrText,
  maxUnavailable: numberOrText,
  selector: labelSelector,
  unhealthyPodEvictionPolicy: filled,
});
const budgetStatus = shape<Record<string, unknown>>({
  observedGeneration: number,
  currentHealthy: number,
  desiredHealthy: number,
  disruptionsAllowed: number,
  expectedPods: number,
  conditions,
});

export function projectPodDisruptionBudget(raw: Raw): Kept {
  return { spec: budgetSpec(raw['spec']) ?? {}, status: budgetStatus(raw['status']) ?? {} };
}

const autoscalerSpec = shape<Record<string, unknown>>({
  scaleTargetRef: shape<Record<string, string>>({ apiVersion: filled, kind: filled, name: filled }),
  minReplicas: number,
  maxReplicas: number,
});
/** Without the metrics: they move with the load. */
const autoscalerStatus = shape<Record<string, unknown>>({
  observedGeneration: number,
  currentReplicas: number,
  desiredReplicas: number,
  lastScaleTime: filled,
  conditions,
});

export function projectHorizontalPodAutoscaler(raw: Raw): Kept {
  return { spec: autoscalerSpec(raw['spec']) ?? {}, status: autoscalerStatus(raw['status']) ?? {} };
}
