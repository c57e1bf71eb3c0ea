/** Nodes without what the kubelet rewrites every few minutes (heartbeats, image list) and what identifies the machine. */
import type { Node, Taint } from './objects.ts';
import { conditions, filled, flag, list, quantities, type Raw, type Reader, shape, text, texts } from './project-fields.ts';

const spec = shape<Node['spec']>({
  unschedulable: flag,
  taints: list(shape<Taint>({ key: filled, value: text, effect: filled, timeAdded: filled }, 'key', 'effect')),
  providerID: filled,
});

const nodeInfo = shape<Record<'kubeletVersion' | 'containerRuntimeVersion' | 'kernelVersion' | 'osImage' | 'operatingSystem' | 'architecture', string>>({
  kubeletVersion: filled,
  containerRuntimeVersion: filled,
  kernelVersion: filled,
  osImage: filled,
  operatingSystem: filled,
  architecture: filled,
});

const attachedVolume = shape<{ name: string }>({ name: filled }, 'name');
/** Names alone; of a node that was projected already, in a recording, they are no more than that. */
const volumesAttached: Reader<readonly string[]> = list((value) => filled(value) ?? attachedVolume(value)?.name);

const status = shape<Node['status']>({
  allocatable: quantities,
  capacity: quantities,
  conditions,
  nodeInfo,
  volumesInUse: texts,
  volumesAttached,
});

export function projectNode(raw: Raw): Pick<Node, 'spec' | 'status'> {
  return { spec: spec(raw['spec']) ?? {}, status: status(raw['status']) ?? {} };
}
