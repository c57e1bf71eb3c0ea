/** Causes of stuck_terminating: a pod that was deleted does not go, or had to be killed. */
import type { StepPair } from './build-cause.ts';
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { attachments, csiPods, describeNode, edit, kubeletLog, onNode, podEvents, restartRuntime } from './steps.ts';

const force: StepPair = [
  'Last: remove the object by force. The containers are not stopped by that.',
  '最后手段:强制删除对象,但这并不会停掉节点上的容器。',
  'kubectl delete pod {pod} -n {namespace} --grace-period=0 --force',
];

export const STUCK_TERMINATING: ScenarioEntry = {
  en: { title: 'Stuck terminating' },
  zh: { title: '无法被删除' },
  causes: {
    finalizer: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.finalizers, DOCS.podLifecycle],
      title: ['A finalizer is not removed', 'finalizer 未被移除'],
      explanation: [
        'The containers have ended, but metadata.finalizers of the pod still has an entry, and the API server keeps the object until the controller that set it takes it away. That controller is down, was uninstalled, or cannot finish its work. batch.kubernetes.io/job-tracking belongs to the Job controller; other names tell their owner by the prefix.',
        '容器都结束了,但 Pod 的 metadata.finalizers 还有条目,必须等设置它的控制器移除,API Server 才会真正删除对象。通常是那个控制器挂了、被卸载了,或清理工作做不完。batch.kubernetes.io/job-tracking 属于 Job 控制器,其他的看前缀就知道是谁的。',
      ],
      steps: [
        ['Which finalizer is left?', '看还剩哪个 finalizer。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.metadata.finalizers}'"],
        ['Who set it?', '看是谁设置的。', 'kubectl get pod {pod} -n {namespace} -o yaml --show-managed-fields'],
        [
          'Does its controller run? Read its log, and repair that first.',
          '看对应控制器是否在跑、日志里卡在哪,优先修控制器。',
          "kubectl get pods -A | grep -i -E 'controller|operator|NAMESPACE'",
        ],
        [
          'Only if the controller is gone for good and what it should clean up is done: take the finalizer away.',
          '控制器确实没了、该清理的已人工清理,才手动移除 finalizer。',
          'kubectl patch pod {pod} -n {namespace} --type=merge -p \'{"metadata":{"finalizers":null}}\'',
        ],
      ],
      avoid: [
        'Do not remove finalizers first: what they guard (addresses, volumes, accounting of Jobs) leaks or is counted twice. --force does not help against a finalizer.',
        '不要上来就删 finalizer,它保护的资源(IP、卷、Job 计数)会泄漏或错乱;--force 对 finalizer 没用。',
      ],
    }),
    kill_failed: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.podLifecycle, DOCS.crictl, DOCS.debugNode],
      title: ['Containers outlive their grace period and SIGKILL', '容器杀不掉(宽限期和 SIGKILL 后仍在)'],
      explanation: [
        'The grace period is over, SIGKILL was sent, and the container or its sandbox is still there. A process in uninterruptible sleep (state D, mostly on a hanging NFS or disk) cannot be killed; or the runtime or shim hangs, or the network plugin fails to tear down the sandbox. The kubelet tries again and again (FailedKillPod).',
        '宽限期已过、SIGKILL 也发了,容器或沙箱还在。进程处于 D 状态(不可中断睡眠,多半是 NFS 或磁盘卡住)杀不掉;或者运行时/shim 卡死,或 CNI 拆网络失败。kubelet 会一直重试(FailedKillPod)。',
      ],
      steps: [
        podEvents,
        [
          'Look for processes in state D, and what they wait for.',
          '找 D 状态的进程,看在等什么(wchan)。',
          onNode('ps -eo pid,ppid,stat,wchan:32,comm --sort=stat'),
        ],
        ['See what the runtime says of the containers of the pod.', '从运行时侧看这个 Pod 的容器。', onNode('crictl ps -a')],
        ['Look for hung tasks and I/O errors.', '看内核有没有 hung task、I/O 报错。', onNode('dmesg -T')],
        restartRuntime,
        [
          'A process in state D whose storage does not come back goes only with the machine: drain, then reboot.',
          'D 状态且存储回不来的,只能排空后重启机器。',
          'kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=10m',
        ],
      ],
      avoid: [
        'Do not force-delete and forget: the process may still hold its volume, port and data while a new pod starts.',
        '不要强删了事,进程可能还占着卷、端口和数据,而新 Pod 已经起来了。',
      ],
    }),
    ignored_signal: buildCause({
      severity: 'info',
      subject: 'workload',
      links: [DOCS.podLifecycle, DOCS.hooks],
      title: ['SIGTERM was ignored for the whole grace period', '进程不响应 SIGTERM,耗尽宽限期后被杀'],
      explanation: [
        'The container did nothing on SIGTERM and ran on until the end of a grace period of a minute or more, when it was killed (exit code 137): rollouts and drains are slow, and connections are cut in the end. Usually a shell is process 1 and does not pass the signal on, or the program, as process 1, has no handler; the kernel applies no default action to process 1.',
        '容器收到 SIGTERM 没反应,一直跑到宽限期(≥ 60 秒)结束被 SIGKILL(退出码 137)。后果是发布、排空都很慢,最后连接还是被硬切。常见原因:1 号进程是 shell,不转发信号;或程序自己是 1 号进程但没注册处理函数(内核对 1 号进程不执行默认动作)。',
      ],
      steps: [
        [
          'Which process is number 1 in a living replica?',
          '看存活副本里 1 号进程是谁。',
          'kubectl exec {pod} -n {namespace} -c {container} -- cat /proc/1/cmdline',
        ],
        [
          'Does it handle SIGTERM? Bit 15 of SigCgt (mask 0x4000).',
          '看它有没有处理 SIGTERM:SigCgt 的第 15 位(掩码 0x4000)。',
          "kubectl exec {pod} -n {namespace} -c {container} -- grep -E 'SigCgt|SigIgn' /proc/1/status",
        ],
        ['Read command, preStop and the grace period.', '看 command、preStop 和宽限期。', 'kubectl get {workloadKind} {workload} -n {namespace} -o yaml'],
        edit(
          'Use the exec form of ENTRYPOINT, "exec" in start scripts, or an init such as tini; handle SIGTERM in the program (Spring Boot: server.shutdown=graceful); or set another STOPSIGNAL that it knows.',
          'ENTRYPOINT 用 exec 形式、启动脚本里加 exec,或用 tini 做 1 号进程;程序里处理 SIGTERM(Spring Boot 配 server.shutdown=graceful);或把 STOPSIGNAL 设成它认识的信号。',
        ),
      ],
      avoid: ['Do not just shorten the grace period: requests under way are then cut sooner.', '不要只是把宽限期调短,那只是更早地切断在途请求。'],
    }),
    node_failure: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.nodes, DOCS.statefulForce, DOCS.nodeShutdown],
      title: ['The node that should stop the pod is lost', '所在节点故障,无人执行删除'],
      explanation: [
        'Only the kubelet of its node can confirm that a pod has ended. That node is not ready or gone, so the pod stays in Terminating with a frozen status. A Deployment already has a replacement; a StatefulSet waits, since two pods of one name must never run at once.',
        '只有所在节点的 kubelet 能确认 Pod 真正结束。该节点 NotReady 或已不在,Pod 就一直 Terminating、状态冻结。Deployment 已经起了新副本;StatefulSet 则会一直等,因为同名 Pod 绝不能同时有两个。',
      ],
      steps: [
        describeNode,
        ['Which other pods of the node are stuck?', '看该节点上还有哪些 Pod 卡住。', 'kubectl get pods -A -o wide --field-selector spec.nodeName={node}'],
        [
          'Bring the node back: kubelet and runtime on the machine. The pods then end by themselves.',
          '优先恢复节点:登录机器重启 kubelet 和运行时,恢复后 Pod 会自己结束。',
          'systemctl restart containerd kubelet',
        ],
        [
          'Machine certainly off for good: say so, which deletes the pods and detaches the volumes.',
          '确认机器已关机且不再恢复:打 out-of-service 污点,自动删 Pod、卸卷。',
          'kubectl taint nodes {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute',
        ],
        force,
      ],
      avoid: [
        'Do not force-delete pods of a StatefulSet before the machine is known to be off: the old one may still write.',
        '没确认机器关机之前不要强删 StatefulSet 的 Pod,旧实例可能还在写。',
      ],
    }),
    volume_detach: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.volumes, DOCS.debugNode],
      title: ['A volume cannot be unmounted or detached', '存储卷无法卸载'],
      explanation: [
        'All containers have ended and no finalizer is left; the kubelet is still taking the volumes down and lets the pod go only after that. No Event tells it: the unmount is busy, the storage server does not answer, or the CSI driver of the node is down. The log of the kubelet has the error.',
        '容器都结束了,也没有 finalizer,kubelet 还在卸载卷,卸完才会放 Pod 走。这种情况没有事件:可能是 umount 忙、存储服务端不响应,或节点上的 CSI 驱动挂了,报错只在 kubelet 日志里。',
      ],
      steps: [
        [
          'Read what the kubelet says of unmounting.',
          '看 kubelet 日志里的卸载报错。',
          onNode("journalctl -u kubelet --since=-1h --no-pager --grep='unmount|TearDown|detach'"),
        ],
        ['Which volumes does the node still use?', '看节点还占着哪些卷。', "kubectl get node {node} -o jsonpath='{.status.volumesInUse}'"],
        attachments,
        csiPods,
        ['See the mounts of the pod that are left on the node.', '看节点上残留的挂载点。', onNode('grep kubelet/pods /proc/mounts')],
        [
          'Restart the CSI pod of that node, or repair the storage; then the kubelet goes on by itself. POD and NAMESPACE stand above.',
          '重启该节点的 CSI Pod 或修复存储,kubelet 会自动继续(POD、NAMESPACE 见上)。',
          'kubectl delete pod POD -n NAMESPACE',
        ],
      ],
      avoid: [
        'Do not delete directories under /var/lib/kubelet/pods: what is still mounted there is the data.',
        '不要 rm 掉 /var/lib/kubelet/pods 下的目录,挂载还在的话删的就是数据。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.podLifecycle, DOCS.debugPods],
      title: ['The pod does not go away', 'Pod 一直无法删除(其他原因)'],
      explanation: [
        'The grace period is over, and nothing that the API shows holds the pod. A kubelet that is in the middle of an image pull or a mount stops the pod only after that.',
        '宽限期已过,但 API 里看不出是什么卡住了。kubelet 正在拉镜像或挂卷时,要等这一步结束才会处理删除。',
      ],
      steps: [podEvents, describeNode, kubeletLog, ['Compare with what runs on the node.', '对照节点上实际在跑的容器。', onNode('crictl pods')], force],
    }),
  },
};
