/** Claims, volumes and what places them. Of a volume's source only the name of its CSI driver: sources name servers and credentials. */
import type { NodeSelectorTerm, OtherObject, PersistentVolumeClaim, SelectorRequirement } from './objects.ts';
import { filled, flag, freeText, list, number, quantities, type Raw, shape, text, texts } from './project-fields.ts';
import { resourceRequirements } from './project-pod-spec.ts';

export const claimSpec = shape<PersistentVolumeClaim['spec']>({
  storageClassName: text,
  volumeName: filled,
  accessModes: texts,
  volumeMode: filled,
  resources: resourceRequirements,
});
const claimStatus = shape<PersistentVolumeClaim['status']>({ phase: filled, accessModes: texts, capacity: quantities });

export function projectPersistentVolumeClaim(raw: Raw): Pick<PersistentVolumeClaim, 'spec' | 'status'> {
  return { spec: claimSpec(raw['spec']) ?? {}, status: claimStatus(raw['status']) ?? {} };
}

const requirements = list(shape<SelectorRequirement>({ key: text, operator: text, values: texts }, 'key', 'operator'));

const volumeSpec = shape<Record<string, unknown>>({
  capacity: quantities,
  accessModes: texts,
  storageClassName: text,
  volumeMode: filled,
  persistentVolumeReclaimPolicy: filled,
  claimRef: shape<Record<string, string>>({ kind: filled, namespace: filled, name: filled, uid: filled }),
  nodeAffinity: shape<{ required?: object }>({
    required: shape<{ nodeSelectorTerms?: readonly NodeSelectorTerm[] }>({
      nodeSelectorTerms: list(shape<NodeSelectorTerm>({ matchExpressions: requirements, matchFields: requirements })),
    }),
  }),
  csi: shape<{ driver?: string }>({ driver: filled }),
});
const volumeStatus = shape<Record<string, unknown>>({ phase: filled, reason: filled, message: freeText });

export function projectPersistentVolume(raw: Raw): Pick<OtherObject, 'spec' | 'status'> {
  return { spec: volumeSpec(raw['spec']) ?? {}, status: volumeStatus(raw['status']) ?? {} };
}

const topologyTerm = shape<{ matchLabelExpressions?: readonly object[] }>({
  matchLabelExpressions: list(shape<{ key: string; values?: readonly string[] }>({ key: text, values: texts }, 'key')),
});
/** Without parameters: they may name secrets and servers. */
const storageClass = shape<Record<string, unknown>>({
  provisioner: filled,
  reclaimPolicy: filled,
  volumeBindingMode: filled,
  allowVolumeExpansion: flag,
  allowedTopologies: list(topologyTerm),
});

export function projectStorageClass(raw: Raw): object {
  return storageClass(raw) ?? {};
}

const csiNodeSpec = shape<{ drivers?: readonly object[] }>({
  drivers: list(
    shape<{ name: string; allocatable?: object; topologyKeys?: readonly string[] }>(
      { name: filled, allocatable: shape<{ count?: number }>({ count: number }), topologyKeys: texts },
      'name',
    ),
  ),
});

export function projectCsiNode(raw: Raw): object {
  return { spec: csiNodeSpec(raw['spec']) ?? {} };
}
