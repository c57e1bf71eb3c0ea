/** NodePorts: host ports. Follows pkg/scheduler/framework/plugins/nodeports/node_ports.go and HostPortInfo of kube-scheduler framework/types.go (v1.34). */
import type { Filter, FilterFailure } from './filter.ts';
import { PASSED } from './filter.ts';
import type { HostPort, PodFacts } from './pod-facts.ts';
import type { NodeState } from './scheduling-state.ts';

const NO_FREE_PORTS: readonly FilterFailure[] = [{ plugin: 'NodePorts', reason: "node(s) didn't have free ports for the requested pod ports" }];

export function createNodePorts(pod: PodFacts): Filter | undefined {
  if (pod.ports.length === 0) return undefined;
  return { plugin: 'NodePorts', check: (node) => (pod.ports.some((port) => isTaken(port, node)) ? NO_FREE_PORTS : PASSED) };
}

/** 0.0.0.0 clashes with every address, any other address with itself and with 0.0.0.0. */
function isTaken({ ip, protocol, port }: HostPort, node: NodeState): boolean {
  const addresses = node.ports.get(`${protocol}/${port}`);
  if (addresses === undefined) return false;
  return ip === '0.0.0.0' || addresses.has(ip) || addresses.has('0.0.0.0');
}
