/** Steps and commands that many causes share. */
import type { StepPair } from './build-cause.ts';

/** Small, and has a shell, nslookup, wget and nc. */
export const TOOLS_IMAGE = 'busybox:1.36';
/** Has tcpdump, dig, curl and openssl. */
export const NETWORK_IMAGE = 'nicolaka/netshoot';

/** Runs a command with the node's own file system as root; the debugging pod lands in kube-system, which Pod Security rarely restricts. */
export function onNode(command: string): string {
  return `kubectl debug node/{node} -n kube-system -it --image=${TOOLS_IMAGE} --profile=sysadmin -- chroot /host ${command}`;
}

export const describePod: StepPair = [
  'Read the conditions, container states and Events of one pod.',
  '看一个 Pod 的 conditions、容器状态和 Events。',
  'kubectl describe pod {pod} -n {namespace}',
];
export const podEvents: StepPair = [
  'List the Events of the pod, oldest first. They expire after an hour by default.',
  '按时间查看这个 Pod 的 Events(默认只保留 1 小时)。',
  'kubectl events --for pod/{pod} -n {namespace}',
];
export const workloadEvents: StepPair = [
  'Where no pod exists, read what the controllers of the namespace say: their FailedCreate Events (of a Deployment: ReplicaSetCreateError) quote the API server.',
  '如果 Pod 根本没有创建出来,看该命名空间里控制器的 FailedCreate 事件(Deployment 则是 ReplicaSetCreateError),里面就是 API Server 的原话。',
  'kubectl get events -n {namespace} --field-selector type=Warning --sort-by=.lastTimestamp',
];
export const previousLog: StepPair = [
  'Read the log of the run that ended. Without --previous you see the new run.',
  '看上一次运行的日志;不带 --previous 看到的是重启之后的日志。',
  'kubectl logs {pod} -n {namespace} -c {container} --previous --tail=200',
];
export const currentLog: StepPair = [
  'Read the log of the running container.',
  '看运行中容器的日志。',
  'kubectl logs {pod} -n {namespace} -c {container} --tail=200',
];
export const describeNode: StepPair = [
  'Read the conditions, taints and Events of the node, and what is allocated on it.',
  '看节点的 conditions、污点、事件,以及已分配的资源。',
  'kubectl describe node {node}',
];
export const kubeletLog: StepPair = ['Read the kubelet log of the node.', '看节点上 kubelet 的日志。', onNode('journalctl -u kubelet --since=-1h --no-pager')];
export const runtimeLog: StepPair = [
  'Read the log of the runtime (unit crio or docker where that is the runtime).',
  '看容器运行时日志(运行时是 CRI-O 或 Docker 就换成 crio、docker)。',
  onNode('journalctl -u containerd --since=-1h --no-pager'),
];
export const restartRuntime: StepPair = [
  'If the runtime hangs, restart it (unit crio or docker where that is the runtime). Running containers live on, except on Docker without live-restore.',
  '运行时卡死就重启它(CRI-O、Docker 换成对应的 unit);运行中的容器不受影响,没开 live-restore 的 Docker 除外。',
  onNode('systemctl restart containerd'),
];
export const history: StepPair = [
  'See which revisions were rolled out, and when.',
  '看发布记录:最近上过哪些版本。',
  'kubectl rollout history {workloadKind}/{workload} -n {namespace}',
];
export const undo: StepPair = [
  'If it came with the last rollout, go back first and repair afterwards.',
  '如果是最近一次发布引入的,先回滚止血,再修。',
  'kubectl rollout undo {workloadKind}/{workload} -n {namespace}',
];
/** A closing step: change the template. The two texts say what to change. */
export const edit = (en: string, zh: string): StepPair => [en, zh, 'kubectl edit {workloadKind}/{workload} -n {namespace}'];
/** A copy of the pod without probes, held open by a shell in the container at fault. */
export const probelessCopy: StepPair = [
  'Start a copy of the pod without probes and labels, held open by a shell, and run the start command by hand. Delete the copy afterwards.',
  '复制一个不带探针、不带 label(不接流量)的 Pod,用 shell 卡住,进去手动执行启动命令看结果。用完记得删掉。',
  'kubectl debug {pod} -n {namespace} -it --copy-to={pod}-debug --container={container} --profile=general -- sh',
];
/** The same for images that have no shell: an image with tools beside the container. */
export const ephemeralShell: StepPair = [
  'Open a shell beside the running container. It shares the network and, with --target, the processes.',
  '用临时容器进到 Pod 里:与业务容器共享网络,加了 --target 还能看到它的进程。',
  `kubectl debug {pod} -n {namespace} -it --image=${TOOLS_IMAGE} --target={container}`,
];
export const capture: StepPair = [
  'Capture the packets in the network of the pod.',
  '在 Pod 的网络命名空间里抓包。',
  `kubectl debug {pod} -n {namespace} -it --image=${NETWORK_IMAGE} --profile=netadmin -- tcpdump -i any -nn -c 200`,
];
export const jvmThreads: StepPair = [
  'In a JVM, dump the threads twice, some seconds apart, and look for the ones that do not move (1 is the process id; jcmd alone lists them). Arthas shows the same where the image has no JDK tools: thread -n 5, trace.',
  'Java 应用隔几秒打两次线程栈,看哪些线程一直卡在同一处(1 是进程号,不带参数的 jcmd 会列出来);镜像里没有 JDK 工具就用 Arthas(thread -n 5、trace)。',
  'kubectl exec {pod} -n {namespace} -c {container} -- jcmd 1 Thread.print',
];
export const allocatable: StepPair = [
  'See what each node can give in total.',
  '看每个节点的可分配总量(allocatable)。',
  'kubectl get nodes -o custom-columns=NAME:.metadata.name,CPU:.status.allocatable.cpu,MEMORY:.status.allocatable.memory,PODS:.status.allocatable.pods',
];
export const allocated: StepPair = [
  'See how much of each node is taken by requests. Usage (kubectl top) does not matter to the scheduler.',
  '看各节点的 requests 已分配比例;调度只认 requests,不看 kubectl top 的实际用量。',
  "kubectl describe nodes | grep -E -A 9 '^Name:|^Allocated resources'",
];
export const nodeTaints: StepPair = [
  'List the taints and the cordon of every node.',
  '列出所有节点的污点和 cordon 状态。',
  "kubectl get nodes -o custom-columns='NAME:.metadata.name,UNSCHEDULABLE:.spec.unschedulable,TAINTS:.spec.taints[*].key,EFFECTS:.spec.taints[*].effect'",
];
export const podMessage: StepPair = [
  "Read the scheduler's own words. The condition holds the full text; the Event cuts it.",
  '看调度器的原话:condition 里是完整信息,Event 会被截断。',
  'kubectl get pod {pod} -n {namespace} -o jsonpath=\'{.status.conditions[?(@.type=="PodScheduled")].message}\'',
];
export const describeClaim: StepPair = [
  'Read the state of the claim and the Events of its provisioner.',
  '看 PVC 的状态,以及 provisioner 写在上面的事件。',
  'kubectl describe pvc {claim} -n {namespace}',
];
export const attachments: StepPair = [
  'See which volume is attached to which node, and which attachment has an error.',
  '看卷挂在哪个节点、哪条 VolumeAttachment 报错。',
  'kubectl get volumeattachments -o wide',
];
export const csiPods: StepPair = [
  'Find the pods of the CSI driver; the one on this node and the controller hold the real error in their logs.',
  '找到 CSI 驱动的 Pod,本节点上的 node plugin 和 controller 的日志里有真正的报错。',
  "kubectl get pods -A -o wide | grep -i -E 'csi|NAMESPACE'",
];
export const whoIsOnNode: StepPair = [
  'List the pods of the node.',
  '列出该节点上的 Pod。',
  'kubectl get pods -A -o wide --field-selector spec.nodeName={node}',
];
export const topOnNode: StepPair = [
  'See who uses the memory and CPU now (needs metrics-server).',
  '看谁在吃内存和 CPU(需要 metrics-server)。',
  'kubectl top pods -A --sort-by=memory',
];
export const cordon: StepPair = ['Keep new pods off the node while you work on it.', '处理期间先 cordon,别让新 Pod 调度上来。', 'kubectl cordon {node}'];
export const drain: StepPair = [
  'Move the pods away within their disruption budgets (their emptyDir data is lost), then repair or replace the node.',
  '按 PDB 驱散节点上的 Pod(emptyDir 数据会丢),再修复或替换节点。',
  'kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=10m',
];
export const containerImage: StepPair = [
  'See the image and the command that the pod really has.',
  '看这个 Pod 里实际生效的镜像和启动命令。',
  "kubectl get pod {pod} -n {namespace} -o custom-columns='CONTAINER:.spec.containers[*].name,IMAGE:.spec.containers[*].image,COMMAND:.spec.containers[*].command,ARGS:.spec.containers[*].args'",
];
