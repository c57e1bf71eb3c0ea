/** Causes of evicted: the kubelet, or a NoExecute taint, removes a running pod from its node. */
import type { StepPair } from './build-cause.ts';
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { describeNode, edit, onNode, podEvents, topOnNode, whoIsOnNode } from './steps.ts';

const message: StepPair = [
  'Read why: what was low, and how much this pod used beyond its request.',
  '看驱逐原因:缺什么资源、本 Pod 超出 request 多少。',
  "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.reason}: {.status.message}'",
];
const cleanUp: StepPair = [
  'Evicted pods stay as objects; remove them once they are understood.',
  '被驱逐的 Pod 对象会留着,弄清原因后清理。',
  'kubectl delete pods -n {namespace} --field-selector status.phase=Failed',
];

export const EVICTED: ScenarioEntry = {
  en: { title: 'Eviction' },
  zh: { title: 'Pod 驱逐' },
  causes: {
    memory_pressure: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.nodePressure, DOCS.resources],
      title: ['Evicted because the node was low on memory', '节点内存不足导致驱逐'],
      explanation: [
        'Free memory of the node fell below the eviction threshold (memory.available < 100Mi by default), so the kubelet ended pods: first those that use more than they request, by priority and by how far they exceed it. The node has the condition MemoryPressure and takes no new BestEffort pods for at least 5 minutes. The controller makes a replacement; where it cannot be placed, replicas are missing.',
        '节点可用内存低于驱逐阈值(默认 memory.available < 100Mi),kubelet 开始驱逐:先挑用量超过 request 的,再按优先级和超出量排序。节点会带上 MemoryPressure,至少 5 分钟内不接新的 BestEffort Pod。控制器会补建 Pod,补不上就缺副本。',
      ],
      steps: [
        message,
        describeNode,
        topOnNode,
        whoIsOnNode,
        edit(
          'Set requests.memory to real use: who stays within the request is evicted last, and the scheduler no longer overfills the node.',
          '把 requests.memory 调到实际用量:用量不超 request 的最后才被驱逐,调度器也不会再把节点塞满。',
        ),
        cleanUp,
      ],
      avoid: ['Do not disable eviction thresholds: the kernel kills without order instead.', '不要关掉驱逐阈值,否则就变成内核无差别 OOM。'],
    }),
    disk_pressure: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.nodePressure, DOCS.resources],
      title: ['Evicted because the node was low on disk', '节点磁盘不足导致驱逐'],
      explanation: [
        'The node ran low on disk space or inodes (nodefs below 10 %, image file system below 15 %, inodes below 5 % by default). The kubelet first removed dead containers and unused images, then evicted pods by how much local storage they used: logs, the writable layer, emptyDir. The condition DiskPressure keeps new pods away.',
        '节点磁盘空间或 inode 不足(默认 nodefs < 10%、imagefs < 15%、inode < 5%)。kubelet 先清理已退出的容器和无用镜像,再按本地存储用量(日志、可写层、emptyDir)驱逐 Pod。DiskPressure 期间不会有新 Pod 调度上来。',
      ],
      steps: [
        message,
        describeNode,
        ['See which file system is full; df -i shows inodes.', '看哪个分区满了(inode 用 df -i 看)。', onNode('df -h')],
        [
          'See what fills it: images, container layers, logs, emptyDir volumes.',
          '看被什么占了:镜像、容器层、日志、emptyDir。',
          onNode('du -xhd1 /var/lib/kubelet /var/lib/containerd /var/log/pods'),
        ],
        ['Remove images that are not in use.', '清理未使用的镜像。', onNode('crictl rmi --prune')],
        edit(
          'Give the workload a limit for ephemeral-storage, rotate its logs (kubelet containerLogMaxSize), move large data to a volume; enlarge the disk of the node pool.',
          '给负载设 ephemeral-storage 的 request/limit,配置日志轮转(containerLogMaxSize),大数据放到独立卷;节点池磁盘不够就扩。',
        ),
      ],
      avoid: [
        'Do not delete files of running containers: a deleted log that is still open keeps its space until the process ends.',
        '不要直接删运行中容器的日志文件,文件句柄没释放空间不会回来。',
      ],
    }),
    ephemeral_limit: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.resources, DOCS.volumes],
      title: ['Evicted for exceeding its own local storage limit', '超过自身 ephemeral-storage 或 emptyDir 限额被驱逐'],
      explanation: [
        'The pod wrote more to local storage than its own limit allows: limits.ephemeral-storage of a container (writable layer plus logs), their sum over the pod, or sizeLimit of an emptyDir. The node is healthy; only this pod is removed, at once and without grace. The replacement does the same again after a while.',
        'Pod 写的本地数据超过自己的限额:容器的 limits.ephemeral-storage(可写层 + 日志)、Pod 总量,或 emptyDir 的 sizeLimit。节点没问题,只驱逐这个 Pod,且没有宽限期。重建后过一阵还会再来。',
      ],
      steps: [
        message,
        [
          'Read the limits and the emptyDir sizes.',
          '看 ephemeral-storage 限额和 emptyDir 的 sizeLimit。',
          'kubectl get {workloadKind} {workload} -n {namespace} -o yaml',
        ],
        ['In the replacement, see what grows.', '在新 Pod 里看什么在涨。', 'kubectl exec {pod} -n {namespace} -- du -xhd1 /'],
        edit(
          'Stop what grows (logs to stdout with rotation, temporary files, dumps), raise the limit, or use a volume of its own.',
          '从源头控制(日志走 stdout 并轮转、临时文件和 dump 及时清),或调大限额、挂独立的卷。',
        ),
        cleanUp,
      ],
    }),
    pid_pressure: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.pidLimits, DOCS.nodePressure],
      title: ['Evicted because the node ran out of process ids', '节点 PID 不足导致驱逐'],
      explanation: [
        'Processes and threads share the process ids of the node, and they ran low, so the kubelet evicted pods. A leak of threads or of zombie children in one pod is enough, where podPidsLimit does not confine it. Short of ids, nothing on the node can fork: probes, shells and the runtime fail as well.',
        '进程和线程共用节点的 PID,PID 快用完时 kubelet 会驱逐 Pod。没有配 podPidsLimit 时,一个 Pod 线程泄漏或僵尸进程不回收就能拖垮节点。PID 不够时节点上什么都 fork 不出来,探针、exec、运行时都会失败。',
      ],
      steps: [
        message,
        describeNode,
        ['Count threads by process, the largest first.', '按线程数看进程,找最多的。', onNode('ps -eo nlwp,pid,ppid,stat,comm --sort=-nlwp')],
        whoIsOnNode,
        [
          'Is there a limit for each pod?',
          '看 kubelet 有没有配 podPidsLimit。',
          'kubectl get --raw /api/v1/nodes/{node}/proxy/configz | grep -o -E \'"podPidsLimit":[-0-9]+\'',
        ],
        edit(
          'Correct the leak (bounded thread pools; an init such as tini that reaps children), and set podPidsLimit in the kubelet configuration.',
          '修复泄漏(线程池有界、用 tini 回收僵尸进程),并在 kubelet 配置 podPidsLimit。',
        ),
      ],
    }),
    taint_eviction: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.taints, DOCS.drain],
      title: ['Deleted because of a NoExecute taint', '节点 NoExecute 污点导致驱逐'],
      explanation: [
        'Someone or something put a NoExecute taint on a node that is alive, and the taint manager deleted the pods that do not tolerate it, or whose tolerationSeconds were over. It heeds no PodDisruptionBudget, so all replicas on tainted nodes go at once.',
        '有人或某个组件给活着的节点打了 NoExecute 污点,taint manager 会删除没有容忍(或 tolerationSeconds 到期)的 Pod。它不看 PDB,所以被打污点的节点上的副本会一次性全删。',
      ],
      steps: [
        ['Read the taints of the node, with the time they were added.', '看节点污点及添加时间。', "kubectl get node {node} -o jsonpath='{.spec.taints}'"],
        ['Who set it?', '看是谁打的。', 'kubectl get node {node} -o yaml --show-managed-fields'],
        podEvents,
        ['Remove it if it was a mistake.', '误打的就去掉。', 'kubectl taint nodes {node} KEY:NoExecute-'],
        edit('If the workload is meant to stay there, give it the toleration.', '负载确实该留在上面,就加 toleration。'),
      ],
      avoid: [
        'To empty a node, use kubectl drain, which honours PodDisruptionBudgets, not a NoExecute taint.',
        '要腾空节点请用 kubectl drain(遵守 PDB),别用 NoExecute 污点。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.nodePressure],
      title: ['Evicted by the kubelet', '被 kubelet 驱逐(其他原因)'],
      explanation: [
        'The kubelet evicted the pod and gave a reason podtrail does not know, or none. The pod is Failed with reason Evicted; its controller makes a new one.',
        'kubelet 驱逐了 Pod,但原因未知或没有写。Pod 状态为 Failed、reason 为 Evicted,控制器会新建。',
      ],
      steps: [message, describeNode, podEvents, cleanUp],
    }),
  },
};
