/** Causes of oom_killed: the kernel kills a container for memory. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { describeNode, describePod, edit, history, onNode, previousLog, topOnNode, whoIsOnNode } from './steps.ts';

export const OOM_KILLED: ScenarioEntry = {
  en: { title: 'OOM kill' },
  zh: { title: 'OOMKilled' },
  causes: {
    container_limit: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.memory, DOCS.resources, DOCS.podFailure],
      title: ['The container reached its memory limit', '容器内存超过 limit'],
      explanation: [
        'The processes of the container together needed more than limits.memory, and memory cannot be throttled like CPU: the kernel kills with SIGKILL (exit code 137, reason OOMKilled). Page cache that can be freed does not count, files in a memory emptyDir do. Detail limit_lowered: an older pod of the workload had a higher limit. Detail child_process: the kernel killed a helper, not process 1, and the container ended later with another code; with cgroup v2 the kubelet kills all of them together since 1.28.',
        '容器内所有进程的内存合计超过 limits.memory。内存不可压缩,内核直接 SIGKILL(退出码 137,reason 为 OOMKilled)。可回收的 page cache 不算,内存型 emptyDir 里的文件要算。detail 为 limit_lowered:同负载的旧 Pod limit 更大,是这次改小了;detail 为 child_process:被杀的是子进程而不是 1 号进程,容器之后以别的退出码结束(1.28 起 cgroup v2 下会整个容器一起杀)。',
      ],
      steps: [
        describePod,
        [
          'Compare use with the limit over time; this is the present value (needs metrics-server).',
          '对比内存用量和 limit,最好看监控曲线,这里是当前值(需要 metrics-server)。',
          'kubectl top pod {pod} -n {namespace} --containers',
        ],
        previousLog,
        [
          'limit_lowered: see which revision changed the limit.',
          'limit_lowered:看是哪个版本改了 limit。',
          'kubectl rollout history {workloadKind}/{workload} -n {namespace}',
        ],
        [
          'In a JVM, compare heap and native memory with the limit (needs -XX:NativeMemoryTracking=summary); Arthas: memory, heapdump.',
          'Java 应用对比堆、堆外内存和 limit(需要 -XX:NativeMemoryTracking=summary);也可用 Arthas 的 memory、heapdump。',
          'kubectl exec {pod} -n {namespace} -c {container} -- jcmd 1 VM.native_memory summary',
        ],
        edit(
          'A leak or a wrong heap size: repair that. Honest need: raise limits.memory, and the request with it. In a JVM set -XX:MaxRAMPercentage to about 75 % of the limit, instead of an -Xmx near or above it.',
          '有泄漏或堆配错就先修;确实需要就调大 limits.memory,request 一起调。JVM 用 -XX:MaxRAMPercentage(约 75%),不要让 -Xmx 接近甚至超过 limit,堆外、线程栈、Metaspace 都要占内存。',
        ),
      ],
      avoid: [
        'Do not remove the limit: a leak then takes the whole node down, and its neighbours first.',
        '不要直接把 limit 去掉,泄漏会拖垮整个节点,先遭殃的是邻居。',
      ],
    }),
    node_memory: buildCause({
      severity: 'critical',
      subject: 'workload',
      links: [DOCS.nodePressure, DOCS.resources, DOCS.reserve],
      title: ['The node ran out of memory', '节点内存耗尽'],
      explanation: [
        'The node as a whole had no memory left, and the kernel chose a victim before the kubelet could evict anyone. Limits may add up to more than the node has (overcommit, see the evidence), and containers without a limit may take any amount. The victim is chosen by oom_score_adj: BestEffort first, then Burstable pods that use much more than they request, so the container that died is not necessarily the one that took the memory.',
        '节点整体内存耗尽,内核在 kubelet 驱逐之前就挑了进程杀掉。limits 之和可以超过节点内存(超卖,比例见证据),没设 limit 的容器更是没有上限。内核按 oom_score_adj 选:先 BestEffort,再是用量远超 request 的 Burstable,所以被杀的不一定是真正吃内存的那个。',
      ],
      steps: [
        describeNode,
        ['Read what the kernel killed, and who used how much at that moment.', '看内核杀了谁、当时各进程用了多少。', onNode('dmesg -T')],
        topOnNode,
        whoIsOnNode,
        edit(
          'Set memory requests close to real use and limits equal or near to requests on the workloads of the node, this one first; spread the large ones over nodes.',
          '让该节点上的负载(先从本负载开始)requests 贴近实际用量、limits 与 requests 相等或接近;大内存应用打散到不同节点。',
        ),
        [
          'See what the node keeps for system and kubelet: allocatable against capacity. Reserve more (kubeReserved, systemReserved, evictionHard) if daemons outside Kubernetes take it.',
          '看节点给系统和 kubelet 预留了多少(allocatable 与 capacity 之差);系统进程吃得多就调大 kubeReserved、systemReserved、evictionHard。',
          'kubectl get node {node} -o custom-columns=NAME:.metadata.name,CAPACITY:.status.capacity.memory,ALLOCATABLE:.status.allocatable.memory',
        ],
      ],
      avoid: [
        'Do not raise the limit of the victim: the limit was not what it ran into, and a higher one overcommits the node further.',
        '不要调大被杀容器的 limit,它并没有撞到 limit,调大只会让节点更超卖。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.memory, DOCS.resources],
      title: ['A container was OOM-killed', 'OOMKilled(其他原因)'],
      explanation: [
        'The kernel killed a process of the container for lack of memory. Neither the limits nor the node tell whose limit was reached.',
        '内核因内存不足杀掉了容器内的进程。从 limit 和节点状态都看不出是谁的内存到顶了。',
      ],
      steps: [describePod, previousLog, describeNode, history],
    }),
  },
};
