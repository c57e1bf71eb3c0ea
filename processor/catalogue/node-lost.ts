/** Causes of node_lost: a node that holds pods is not ready, shuts down or is gone. */
import type { StepPair } from './build-cause.ts';
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { cordon, describeNode, drain, whoIsOnNode } from './steps.ts';

const lease: StepPair = [
  'When did the kubelet renew its lease last? That is when it fell silent.',
  '看 kubelet 最后一次续租的时间,也就是失联的时刻。',
  'kubectl get lease {node} -n kube-node-lease -o yaml',
];
const kubeletOnMachine: StepPair = [
  'On the machine (SSH or console; kubectl debug does not work now): is the kubelet alive, and what does it say?',
  '登录机器(SSH 或控制台,此时 kubectl debug 用不了):kubelet 是否存活、日志说什么。',
  'journalctl -u kubelet --since=-1h --no-pager',
];
const outOfService: StepPair = [
  'Machine certainly off and not coming back: say so. Its pods are deleted and its volumes detached at once.',
  '确认机器已关机且不会回来:打 out-of-service 污点,Pod 会立即删除、卷立即卸载。',
  'kubectl taint nodes {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute',
];

export const NODE_LOST: ScenarioEntry = {
  en: { title: 'Node lost' },
  zh: { title: 'Pod 失联' },
  causes: {
    node_unreachable: buildCause({
      severity: 'critical',
      subject: 'node',
      links: [DOCS.nodes, DOCS.taints, DOCS.debugCluster],
      title: ['The node is unreachable: its kubelet fell silent', '节点失联(kubelet 停止上报)'],
      explanation: [
        'The kubelet has not renewed its lease for 40 s (50 s since 1.32), so the node controller set Ready to Unknown and added the taint node.kubernetes.io/unreachable. The machine is down, the kubelet is dead or hangs, or the network to the API server is cut; the containers may still run. What the API shows of these pods is frozen. After tolerationSeconds (300 s by default) they are marked for deletion and replaced, but stay in Terminating until the node comes back or is removed.',
        'kubelet 超过 40 秒(1.32 起 50 秒)没有续租,节点控制器把 Ready 置为 Unknown 并打上 node.kubernetes.io/unreachable 污点。可能是机器宕机、kubelet 挂了或卡死、到 API Server 的网络断了,容器也许还在跑。此时 API 里这些 Pod 的状态都是冻结的。tolerationSeconds(默认 300 秒)后 Pod 被标记删除并另起新副本,但旧 Pod 会一直 Terminating,直到节点恢复或被移除。',
      ],
      steps: [
        describeNode,
        lease,
        whoIsOnNode,
        kubeletOnMachine,
        ['Restart the kubelet if it hangs; containers live on.', 'kubelet 卡死就重启,容器不受影响。', 'systemctl restart kubelet'],
        outOfService,
      ],
      avoid: [
        'Do not force-delete StatefulSet pods or set out-of-service while the machine may still run: two copies then write the same volume. Check the power state first.',
        '机器可能还活着时,不要强删 StatefulSet 的 Pod,也不要打 out-of-service:会出现两个实例写同一块盘。先确认电源状态。',
      ],
    }),
    node_not_ready: buildCause({
      severity: 'critical',
      subject: 'node',
      links: [DOCS.nodes, DOCS.networkPlugins, DOCS.crictl],
      title: ['The kubelet reports that the node is not ready', '节点 NotReady(kubelet 自报异常)'],
      explanation: [
        'The kubelet is alive and says itself that it cannot work: the runtime does not answer, PLEG (the loop that lists containers) has not finished for 3 minutes, or the network plugin is not ready. Running containers usually live on, but none is started, probed or stopped properly. With the taint not-ready the pods are deleted after 300 s by default.',
        'kubelet 活着,但自己报告无法工作:容器运行时无响应、PLEG(容器状态巡检)超过 3 分钟没跑完、网络插件未就绪。已有容器一般还在跑,但没法正常启停和探测。节点带 not-ready 污点,默认 300 秒后 Pod 会被删除重建。',
      ],
      steps: [
        describeNode,
        [
          'Network plugin: does its agent run on the node?',
          '网络插件:看该节点上的 agent 是否正常。',
          'kubectl get pods -n kube-system -o wide --field-selector spec.nodeName={node}',
        ],
        ['On the machine: does the runtime answer?', '登录机器:看运行时有没有响应。', 'crictl info'],
        ['On the machine: read the log of the runtime.', '登录机器:看运行时日志。', 'journalctl -u containerd --since=-1h --no-pager'],
        ['Restart the runtime, then the kubelet.', '依次重启运行时、kubelet。', 'systemctl restart containerd kubelet'],
        [
          'If it comes back again and again, drain the node and replace it.',
          '反复出现就排空节点、替换机器。',
          'kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=10m',
        ],
      ],
      avoid: [
        'PLEG trouble is mostly a slow disk, thousands of dead containers or an overloaded runtime: look there before you raise anything.',
        'PLEG 问题多半是磁盘慢、残留容器太多或运行时过载,先查这些,别急着改参数。',
      ],
    }),
    node_shutdown: buildCause({
      severity: 'warning',
      subject: 'node',
      links: [DOCS.nodeShutdown, DOCS.drain],
      title: ['The node shuts down or was shut down', '节点关机'],
      explanation: [
        'The machine was switched off: by an operator, an upgrade, or the cloud taking a spot instance back. With graceful shutdown the kubelet ends the pods in order of priority (status.reason Terminated) and refuses new ones (NodeShutdown); without it they just vanish. Pods that ended stay as Failed objects; their controllers make new ones elsewhere.',
        '机器被关机:人为操作、升级,或抢占式实例被回收。启用优雅关机时 kubelet 按优先级依次终止 Pod(status.reason 为 Terminated)并拒绝新 Pod(NodeShutdown);没启用就直接消失。结束的 Pod 会以 Failed 对象留着,控制器会在别处新建。',
      ],
      steps: [
        [
          'Read the Events of the node: who announced it, and when.',
          '看节点事件:谁通知的关机、什么时间。',
          'kubectl get events -A --field-selector involvedObject.kind=Node,involvedObject.name={node} --sort-by=.lastTimestamp',
        ],
        whoIsOnNode,
        ['Have the replacements found a place?', '看新副本是否都调度上了。', 'kubectl get pods -A -o wide --field-selector status.phase=Pending'],
        outOfService,
        [
          'For the next time: drain before maintenance; for spot instances a handler that drains on notice, PodDisruptionBudgets and replicas spread over nodes.',
          '以后:维护前先 drain;抢占式实例装中断处理组件,配 PDB,副本打散。',
          'kubectl get pdb -A',
        ],
      ],
      avoid: [
        'Remove the out-of-service taint before the machine is used again, or its new pods are deleted too.',
        '机器重新启用前要先去掉 out-of-service 污点,否则新 Pod 也会被删。',
      ],
    }),
    node_deleted: buildCause({
      severity: 'critical',
      subject: 'node',
      links: [DOCS.nodes, DOCS.drain],
      title: ['The node is gone while pods are still bound to it', '节点已被删除,仍有 Pod 绑定其上'],
      explanation: [
        'The Node object was deleted (by an autoscaler, a cloud controller whose machine vanished, or a hand) without being drained. The pod garbage collector marks the pods Failed and deletes them by force after about a minute; until then they are counted as if they ran. Their containers may run on, if the machine does.',
        'Node 对象被删除(autoscaler、云控制器发现机器没了,或人为),而且没有先排空。PodGC 大约一分钟后把这些 Pod 置为 Failed 并强制删除,在此之前它们还会被当成在运行。机器如果还开着,容器可能还在跑。',
      ],
      steps: [
        ['Is it really gone?', '确认节点对象是否真的不在了。', 'kubectl get nodes -o wide'],
        ['Which pods are still bound to it?', '看还有哪些 Pod 绑在上面。', 'kubectl get pods -A -o wide --field-selector spec.nodeName={node}'],
        [
          'Who deleted it? Look for the autoscaler and node controller.',
          '看是谁删的:autoscaler 或节点控制器的事件。',
          "kubectl get events -A --sort-by=.lastTimestamp | grep -i -E 'RemovingNode|DeletingNode|ScaleDown'",
        ],
        [
          'If they stay longer than some minutes, kube-controller-manager does not collect them. After checking that the machine is off, remove them.',
          '几分钟后还在,说明 kube-controller-manager 没有回收;确认机器已关机后再手动强删。',
          'kubectl delete pod {pod} -n {namespace} --grace-period=0 --force',
        ],
      ],
      avoid: [
        'Do not delete a Node to repair it: its kubelet may register again while the pods are already made anew elsewhere. Drain first.',
        '不要靠删 Node 对象来“修”节点,kubelet 可能又注册回来;要下线先 drain。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'node',
      links: [DOCS.nodes, DOCS.debugCluster],
      title: ['The node does not work as it should', '节点异常(其他原因)'],
      explanation: [
        'Something is wrong with the node that holds these pods, and podtrail does not know what. What the API shows of its pods may be out of date.',
        '这些 Pod 所在的节点有异常,具体原因未知。API 里这些 Pod 的状态可能是过期的。',
      ],
      steps: [describeNode, lease, whoIsOnNode, cordon, drain],
    }),
  },
};
