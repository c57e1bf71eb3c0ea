/** Causes of scheduling_failure: no node takes the pod, nobody asks one to, or quota refuses its creation. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { allocatable, allocated, attachments, csiPods, describeClaim, describeNode, edit, nodeTaints, podEvents, podMessage } from './steps.ts';

const requirements: readonly [string, string, string] = [
  'Read what the pod requires of a node: selector, affinity, tolerations and spread constraints.',
  '看 Pod 对节点的要求:nodeSelector、affinity、tolerations、topologySpreadConstraints。',
  'kubectl get pod {pod} -n {namespace} -o yaml',
];

export const SCHEDULING_FAILURE: ScenarioEntry = {
  en: { title: 'Scheduling failure' },
  zh: { title: '调度失败' },
  causes: {
    insufficient_resources: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.resources, DOCS.scheduler, DOCS.assignPods],
      title: ['Not enough free CPU, memory or storage', '节点资源不足'],
      explanation: [
        'The scheduler places a pod only on a node whose allocatable, less the requests of all pods already there, covers the requests of the new pod. Usage plays no part: a node that idles can be full. Every node that satisfies the other rules lacks room, even with all free space put together. Detail too_big means more: one pod asks for more than any node of the pool could give when empty, so adding nodes of the same size changes nothing.',
        '调度器只看 requests:节点 allocatable 减去已有 Pod 的 requests 之和,必须大于等于新 Pod 的 requests,与实际使用率无关,所以看着很闲的节点也可能已经“满”了。现在所有满足其他条件的节点都放不下,把剩余资源加在一起也不够。如果 detail 是 too_big,则单个 Pod 的 requests 已经超过节点池里任何一台空节点的可分配额,再加同规格节点也没用。',
      ],
      steps: [
        podMessage,
        allocated,
        allocatable,
        [
          'Compare requests with use: requests set far above what is used take room from everybody (needs metrics-server).',
          '对比 requests 和实际用量:requests 虚高等于白占别人的位置(需要 metrics-server)。',
          'kubectl top pods -n {namespace} --sort-by=memory',
        ],
        edit(
          'Lower the requests towards what is used, or add nodes. With too_big, lower them below the allocatable of one node, or add a pool of larger nodes.',
          '按实际用量调低 requests,或者扩容节点;too_big 时必须把 requests 降到单节点 allocatable 以内,或换更大规格的节点池。',
        ),
      ],
      avoid: [
        'Do not remove the requests to get the pod placed: it becomes BestEffort, is evicted and OOM-killed first, and overcommits the node for everyone else.',
        '不要为了调度成功把 requests 删掉:Pod 会变成 BestEffort,最先被驱逐和 OOM,还会把节点超卖给所有人。',
      ],
    }),
    resource_fragmentation: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.binPacking, DOCS.resources, DOCS.topologySpread],
      title: ['Enough room in total, but split over nodes', '资源碎片:总量够,单节点放不下'],
      explanation: [
        'The free CPU and memory of the eligible nodes add up to more than the pod asks for, yet no single node has all of it, although some node is large enough for the pod when less full. The default scheduler spreads pods to even out the nodes, which leaves a small rest on each. Pools of small nodes fragment sooner, because a rest is a larger share of each node.',
        '可用节点的剩余 CPU、内存加起来够放这个 Pod,但没有任何一个节点单独放得下,而节点规格本身是够大的。默认调度器倾向于把 Pod 打散(LeastAllocated),结果每个节点都剩一点。小规格节点(比如 4c8g)更容易产生碎片。',
      ],
      steps: [
        podMessage,
        allocated,
        [
          'Find pods that could move: small ones with a controller that fit on other nodes, on the node that is nearest to having room.',
          '找可以挪走的 Pod:在最接近放得下的那台节点上,挑有控制器、体量小、别处放得下的。',
          'kubectl get pods -A -o wide --sort-by=.spec.nodeName',
        ],
        [
          'Make room: cordon that node, evict those pods so that they land elsewhere, then uncordon it. NODE is the node you chose.',
          '腾挪:先 cordon 选中的节点,驱逐这些 Pod 让它们落到别处,再 uncordon。NODE 换成选中的节点。',
          'kubectl cordon NODE',
        ],
        edit(
          'For good: fewer, larger nodes; the MostAllocated scoring strategy or a descheduler; or smaller pods, more of them.',
          '长期办法:换更大规格的节点,用 MostAllocated 打分策略或 descheduler 做装箱,或者把 Pod 拆小、副本加多。',
        ),
      ],
      avoid: [
        'Do not conclude from low utilisation that the scheduler is wrong; and do not add one more small node each time, which only adds one more rest.',
        '不要看使用率低就怀疑调度器有问题;也不要每次都加一台小节点,那只是又多一份碎片。',
      ],
    }),
    quota_exceeded: buildCause({
      severity: 'warning',
      subject: 'quota',
      links: [DOCS.quotas, DOCS.limitRanges],
      title: ['ResourceQuota of the namespace exceeded', '超过命名空间资源配额(ResourceQuota)'],
      explanation: [
        'The API server refuses to create the pod because it would take the namespace over a ResourceQuota, or because a quota on requests or limits demands that every pod sets them and this one does not. This happens at admission: there is no Pending pod, only FailedCreate Events on the controller, which tries again with growing delay.',
        'Pod 一旦创建就会超出该命名空间的 ResourceQuota,或者配额约束了 requests/limits 而 Pod 没写,API Server 在准入阶段直接拒绝。所以看不到 Pending 的 Pod,只有控制器上的 FailedCreate 事件,控制器会退避重试。',
      ],
      steps: [
        ['Compare used with hard of each quota.', '对比各配额的 used 和 hard。', 'kubectl describe quota -n {namespace}'],
        [
          'Read the refusals: which quota, how much was requested, how much is used. "must specify" means that requests or limits are missing.',
          '看拒绝信息:哪个配额、申请了多少、已用多少;出现 must specify 说明 Pod 没写 requests/limits。',
          'kubectl get events -n {namespace} --field-selector type=Warning --sort-by=.lastTimestamp',
        ],
        [
          'Look for what can go: pods that ended, old revisions, idle workloads.',
          '看有什么可以清:已经结束的 Pod、旧版本、闲置的负载。',
          'kubectl get pods -n {namespace} --sort-by=.metadata.creationTimestamp',
        ],
        ['Raise the quota if the need is real and the cluster has the room.', '需求合理且集群有余量,就调大配额。', 'kubectl edit quota {quota} -n {namespace}'],
        [
          'If "must specify" is the reason, set requests and limits on the workload, or give the namespace a LimitRange with defaults.',
          '如果是 must specify,给负载补上 requests/limits,或者在命名空间里配 LimitRange 默认值。',
          'kubectl get limitrange -n {namespace} -o yaml',
        ],
      ],
      avoid: [
        'During a rollout old and new pods count together: leave room for maxSurge, or set maxSurge to 0, instead of deleting pods by hand.',
        '滚动发布时新旧 Pod 同时占配额,要给 maxSurge 留余量(或设为 0),别靠手工删 Pod 硬挤。',
      ],
    }),
    node_selector_mismatch: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.assignPods],
      title: ['No node has the labels of nodeSelector', '没有节点匹配 nodeSelector'],
      explanation: [
        'spec.nodeSelector is a hard rule: a node must carry every label with exactly that value. No node does, because of a typing error, a label that was lost when nodes were replaced, or a node pool that is scaled to zero. Labels set by hand do not come back with a new node; those in the configuration of the pool do.',
        'spec.nodeSelector 是硬性条件,节点必须带有全部 label 且值完全一致。现在没有节点满足,常见原因:写错、节点替换后手工打的 label 丢了、对应节点池缩到了 0。手工打的 label 不会跟着新节点回来,写在节点池配置里的才会。',
      ],
      steps: [
        ['Read the selector of the pod.', '看 Pod 的 nodeSelector。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.nodeSelector}'"],
        ['Compare it with the labels of the nodes.', '对比各节点的 label。', 'kubectl get nodes --show-labels'],
        [
          'Try it: which nodes does the selector find? Fill in KEY and VALUE.',
          '直接用 selector 查能匹配到哪些节点,KEY、VALUE 自行替换。',
          'kubectl get nodes -l KEY=VALUE',
        ],
        edit('If the selector is wrong, correct it in the workload.', 'selector 写错了就改负载的模板。'),
        [
          'If the label is missing, add it to the node now, and to the configuration of the node pool so that new nodes have it.',
          '缺 label 就先给节点补上,并写进节点池配置,保证新节点也有。',
          'kubectl label node NODE KEY=VALUE',
        ],
      ],
      avoid: [
        'Do not set spec.nodeName instead: it bypasses the scheduler, and the kubelet then refuses pods that do not fit.',
        '不要改用 spec.nodeName 硬绑:它绕过调度器,放不下时会被 kubelet 直接拒绝。',
      ],
    }),
    affinity_mismatch: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.assignPods],
      title: ['Required affinity or anti-affinity is not met', '不满足硬亲和/反亲和规则'],
      explanation: [
        'A rule under requiredDuringSchedulingIgnoredDuringExecution must hold on the node; preferred rules never prevent scheduling. Node affinity compares labels of nodes; pod affinity and anti-affinity compare the pods already running in the same topology domain. Two kinds surprise people: anti-affinity on hostname allows at most one replica a node, so more replicas than nodes can never be placed; and the rule that blocks may belong to pods that already run ("existing pods anti-affinity rules").',
        'requiredDuringSchedulingIgnoredDuringExecution(硬亲和)必须满足,preferred(软亲和)从不阻止调度。节点亲和比的是节点 label,Pod 亲和/反亲和比的是同一拓扑域里已有的 Pod。两个容易踩的坑:按 hostname 反亲和时每个节点最多一个副本,副本数超过节点数就永远调度不上;另外挡路的规则也可能写在别人身上(existing pods anti-affinity rules)。',
      ],
      steps: [
        podMessage,
        ['Read the affinity of the pod.', '看 Pod 的亲和规则。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.affinity}'"],
        ['Compare with the labels of the nodes.', '对照节点 label。', 'kubectl get nodes --show-labels'],
        [
          'For rules between pods, see where the pods stand that the selector means.',
          'Pod 间规则:看 selector 选中的 Pod 分布在哪些节点。',
          'kubectl get pods -n {namespace} -o wide --show-labels',
        ],
        edit(
          'Correct the rule; turn it into preferred where it is only a wish; or bring replicas, nodes and topology domains into line.',
          '修正规则;只是“尽量”的就改成 preferred;或者让副本数与节点、拓扑域数量匹配。',
        ),
      ],
      avoid: [
        'Pod affinity to a pod of the same workload cannot be met by the first replica unless it matches its own labels: the scheduler lets the first one through only if the term selects the pod itself.',
        '对自身负载做 Pod 亲和时,第一个副本只有在规则能选中自己的情况下才会放行,selector 写错就整组都起不来。',
      ],
    }),
    untolerated_taint: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.taints],
      title: ['Taints of the nodes are not tolerated', '节点存在污点,Pod 没有对应容忍'],
      explanation: [
        'A node with a NoSchedule or NoExecute taint takes only pods with a matching toleration. The nodes that would otherwise fit carry such a taint: reserved for a team, for GPUs, for the control plane, or set by a tool that has not finished. Schedulers from 1.34.2 on no longer name the taint in the message, so it has to be read from the node.',
        '节点带有 NoSchedule/NoExecute 污点时,只有声明了对应 toleration 的 Pod 才能上去。其他条件都满足的节点恰好都有污点:专属资源池、GPU 池、控制面节点,或者某个组件打上之后没摘掉。1.34.2 起调度信息里不再写出污点的 key,需要到节点上看。',
      ],
      steps: [
        nodeTaints,
        ['Read the tolerations of the pod.', '看 Pod 的 tolerations。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.tolerations}'"],
        [
          'Find out who set the taint and why: node pool configuration, an operator, an autoscaler.',
          '弄清污点是谁打的、为什么:节点池配置、Operator 还是 autoscaler。',
          'kubectl get node NODE -o yaml --show-managed-fields',
        ],
        edit(
          'If the pod belongs there, give it the toleration (and a nodeSelector, since a toleration attracts nothing).',
          'Pod 本来就该上去,就加 toleration;要定向过去还需配 nodeSelector,容忍本身没有吸引作用。',
        ),
        ['If the taint is a leftover, remove it.', '污点是遗留的,就摘掉。', 'kubectl taint nodes NODE KEY-'],
      ],
      avoid: [
        'Do not tolerate everything (operator: Exists without a key), and do not remove node.kubernetes.io/ taints by hand: they say that the node is unwell and come back.',
        '不要写“容忍一切”(不带 key 的 Exists);也不要手工摘 node.kubernetes.io/ 开头的污点,那是节点异常的标记,摘了还会回来。',
      ],
    }),
    no_available_node: buildCause({
      severity: 'critical',
      subject: 'workload',
      links: [DOCS.nodes, DOCS.debugCluster, DOCS.drain],
      title: ['The nodes that fit are cordoned or not ready', '没有可用节点(NotReady 或被 cordon)'],
      explanation: [
        'There are nodes that satisfy the pod, but all of them are cordoned (spec.unschedulable), not ready, unreachable or under pressure, which the node controller marks with node.kubernetes.io/ taints; or the cluster has no node at all. The trouble is with the nodes, not with the pod.',
        '满足 Pod 要求的节点是有的,但全都被 cordon、NotReady、失联或处于资源压力(节点控制器会打上 node.kubernetes.io/ 污点),或者集群里根本没有节点。问题在节点,不在 Pod。',
      ],
      steps: [
        ['See the state of all nodes.', '看所有节点的状态。', 'kubectl get nodes -o wide'],
        nodeTaints,
        ['Read why a node is not ready. NODE is one of them.', '看某个节点为什么 NotReady(NODE 换成节点名)。', 'kubectl describe node NODE'],
        ['Give back a node that was left cordoned after maintenance.', '维护完忘了放开的节点,uncordon。', 'kubectl uncordon NODE'],
        [
          'Repair the nodes that are not ready (kubelet, runtime, network plugin), or add nodes.',
          '修复 NotReady 节点(kubelet、容器运行时、网络插件),或者扩容。',
          'kubectl get events -A --field-selector involvedObject.kind=Node --sort-by=.lastTimestamp',
        ],
      ],
      avoid: [
        'Do not uncordon before you know who cordoned the node and why: it may be half drained, or about to be shut down.',
        '搞清是谁、为什么 cordon 的再放开:节点可能正在排空或即将下线。',
      ],
    }),
    unbound_volume: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.storageClasses],
      title: ['A PersistentVolumeClaim is missing or not bound', 'PVC 不存在或未绑定'],
      explanation: [
        'The scheduler waits until every claim of the pod exists and, with volumeBindingMode Immediate, is bound. The claim is missing, is being deleted, is Lost, or stays Pending because its StorageClass does not exist, the provisioner fails, or no PersistentVolume fits its size, access mode and class. With WaitForFirstConsumer a Pending claim is normal until the pod is scheduled; then a failing provisioner or a lack of local volumes is what holds it.',
        '调度器要等 Pod 的 PVC 全部存在;volumeBindingMode 为 Immediate 时还必须已绑定。现在 PVC 不存在、正在删除、处于 Lost,或者一直 Pending:StorageClass 不存在、provisioner 报错,或没有容量/访问模式/StorageClass 都匹配的 PV。WaitForFirstConsumer 模式下 PVC 在调度前 Pending 属于正常,此时要看的是动态供给报错或本地卷不够。',
      ],
      steps: [
        ['See which claim is not bound.', '看哪个 PVC 没绑定。', 'kubectl get pvc -n {namespace}'],
        describeClaim,
        [
          'Check that the class exists, and its binding mode and provisioner.',
          '看 StorageClass 是否存在、绑定模式和 provisioner。',
          'kubectl get storageclass',
        ],
        [
          'For static volumes, look for one that is Available and matches size, access mode and class.',
          '静态供给时,找状态为 Available 且容量、访问模式、class 都匹配的 PV。',
          'kubectl get pv',
        ],
        csiPods,
        [
          'Create what is missing: the claim, the class or the volume. A claim whose class is wrong has to be made anew, since storageClassName cannot be changed.',
          '缺什么补什么:PVC、StorageClass 或 PV。storageClassName 不可修改,写错只能重建 PVC。',
          'kubectl apply -n {namespace} -f PVC.yaml',
        ],
      ],
      avoid: [
        'Do not delete a claim that was bound before: with reclaim policy Delete its data goes with it. A Lost claim needs its PersistentVolume restored first.',
        '不要删曾经绑定过的 PVC:回收策略为 Delete 时数据会一起没了。Lost 状态先想办法恢复 PV。',
      ],
    }),
    volume_topology: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.storageClasses],
      title: ['The volume is tied to another zone or node', '存储卷与节点不在同一可用区/节点'],
      explanation: [
        'A PersistentVolume carries a node affinity: a cloud disk can be attached only in its zone, a local volume exists on one node. No node that the volume allows also satisfies the pod: that zone is full, tainted or has no nodes left. With binding mode Immediate the volume was even made before anyone knew where the pod could run.',
        'PV 带有 nodeAffinity:云盘只能挂到同可用区的节点,本地盘只在一台节点上。允许挂这块盘的节点都不满足 Pod 的其他条件:那个可用区满了、有污点或已经没有节点。Immediate 模式下,盘更是在知道 Pod 能跑在哪之前就建好了。',
      ],
      steps: [
        describeClaim,
        [
          'See where the volumes may be used.',
          '看各 PV 限定在哪些可用区或节点。',
          'kubectl get pv -o custom-columns=NAME:.metadata.name,CLAIM:.spec.claimRef.name,AFFINITY:.spec.nodeAffinity.required.nodeSelectorTerms',
        ],
        ['See in which zones there are nodes.', '看各可用区有哪些节点。', 'kubectl get nodes -L topology.kubernetes.io/zone,kubernetes.io/hostname'],
        allocated,
        [
          'Bring a node back to that zone: uncordon it or add one. This is the only way that keeps the data in place.',
          '在该可用区补节点(放开或扩容),这是数据不动的唯一办法。',
          'kubectl get nodes -l topology.kubernetes.io/zone=ZONE',
        ],
        [
          'If the data may be rebuilt or restored, make a new claim with a class that binds WaitForFirstConsumer.',
          '数据可以重建或从快照恢复的,用 WaitForFirstConsumer 的 StorageClass 新建 PVC。',
          'kubectl get storageclass -o custom-columns=NAME:.metadata.name,BINDING:.volumeBindingMode',
        ],
      ],
      avoid: ['Do not delete the claim to get the pod placed elsewhere unless the data is expendable.', '数据不能丢的情况下,不要为了调度到别处去删 PVC。'],
    }),
    volume_limit: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.volumeLimits, DOCS.persistentVolumes],
      title: ['Attach limit reached, or the volume is in use', '达到挂载上限,或卷已被独占'],
      explanation: [
        'Every node can attach only so many volumes of a driver (CSINode allocatable.count; cloud machines have hard limits), and the nodes that would fit have reached it. Or a claim with access mode ReadWriteOncePod is in use by another pod, or two pods want the same single-writer disk. Both end when a pod that holds a volume leaves.',
        '每个节点能挂的卷数有上限(CSINode 的 allocatable.count,云主机还有硬性限制),满足其他条件的节点都到顶了;或者 ReadWriteOncePod 的 PVC 正被另一个 Pod 使用,或两个 Pod 要用同一块单写盘。占着卷的 Pod 走了才会解除。',
      ],
      steps: [
        podMessage,
        [
          'See the limit of each driver on each node.',
          '看各节点每个驱动的上限。',
          "kubectl get csinodes -o custom-columns='NODE:.metadata.name,DRIVERS:.spec.drivers[*].name,LIMITS:.spec.drivers[*].allocatable.count'",
        ],
        attachments,
        [
          'For ReadWriteOncePod, find the pod that holds the claim ("Used By").',
          'ReadWriteOncePod:看是谁占着 PVC(Used By)。',
          'kubectl describe pvc {claim} -n {namespace}',
        ],
        edit(
          'Spread pods with volumes over more nodes, or add nodes. For a single-writer claim use strategy Recreate, so that the old pod leaves before the new one comes.',
          '把带卷的 Pod 打散或扩容节点;单写卷的 Deployment 改用 Recreate 策略,先走旧 Pod 再起新 Pod。',
        ),
      ],
      avoid: [
        'Do not delete a VolumeAttachment by hand while its node is alive: two writers on one disk destroy the file system.',
        '节点还活着时不要手工删 VolumeAttachment,双写会损坏文件系统。',
      ],
    }),
    resource_claim: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.dynamicResources],
      title: ['A ResourceClaim cannot be allocated', 'ResourceClaim 无法分配(DRA)'],
      explanation: [
        'The pod asks for devices through Dynamic Resource Allocation. Its ResourceClaim does not exist yet, names a device class that does not exist, is still held by another pod, or no ResourceSlice offers enough matching devices on a node that also suits the pod.',
        'Pod 通过 DRA(动态资源分配)申请设备,分配成功之前调度器不会放行。现在要么 ResourceClaim 还没创建出来、引用的 DeviceClass 不存在、正被别的 Pod 占用,或者没有哪个节点的 ResourceSlice 能提供足够的匹配设备。',
      ],
      steps: [
        podMessage,
        [
          'Read the claims of the namespace and who has reserved them.',
          '看命名空间里的 ResourceClaim 及占用者。',
          'kubectl describe resourceclaims -n {namespace}',
        ],
        ['Check that the device class exists.', '看 DeviceClass 是否存在。', 'kubectl get deviceclasses'],
        ['See what devices the drivers offer on which node.', '看各节点上驱动上报了哪些设备。', 'kubectl get resourceslices'],
        [
          'No slices of a driver: its DaemonSet does not run on the node. Enough slices: relax the selectors of the claim or free devices.',
          '某驱动没有 ResourceSlice,说明它的 DaemonSet 没跑起来;设备够但匹配不上,就放宽 selector 或释放设备。',
          'kubectl get daemonsets -A',
        ],
      ],
    }),
    host_port_conflict: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.assignPods, DOCS.scheduler],
      title: ['The hostPort is taken on every node that fits', 'hostPort 在可用节点上都被占用'],
      explanation: [
        'A hostPort (and every port under hostNetwork) can be used by one pod a node. On all nodes that fit, another pod has it already, often a replica of the same workload: as many replicas as nodes is the most there can be, and a rolling update cannot start the new pod before the old one is gone.',
        'hostPort(以及 hostNetwork 下的所有端口)在一个节点上只能给一个 Pod 用。满足条件的节点都已被占,占用者往往就是同一个负载的副本:副本数最多等于节点数,滚动发布时旧 Pod 不走新 Pod 也上不去。',
      ],
      steps: [
        ['Read the host ports of the pod.', '看 Pod 用了哪些 hostPort。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].ports}'"],
        [
          'Find who has the port.',
          '找出谁占着端口。',
          "kubectl get pods -A -o custom-columns='NODE:.spec.nodeName,NAMESPACE:.metadata.namespace,POD:.metadata.name,HOSTPORTS:.spec.containers[*].ports[*].hostPort'",
        ],
        edit(
          'Drop hostPort and use a Service; or lower the replicas; or set maxSurge: 0 with maxUnavailable: 1, so that the old pod leaves first.',
          '去掉 hostPort 改用 Service;或减副本;或设 maxSurge: 0、maxUnavailable: 1,让旧 Pod 先走。',
        ),
      ],
      avoid: [
        'A DaemonSet fits pods with host ports better than a Deployment: one a node, and updates replace in place.',
        '每个节点都要占主机端口的程序更适合用 DaemonSet,而不是 Deployment。',
      ],
    }),
    topology_spread: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.topologySpread],
      title: ['Topology spread constraints cannot be met', '不满足拓扑分布约束'],
      explanation: [
        'With whenUnsatisfiable: DoNotSchedule, placing the pod must not make the domain (zone, node …) exceed the emptiest one by more than maxSkew. The nodes with room would break that, and the domain that should take the pod has none. Domains count as long as they have eligible nodes, full ones too; nodes without the topologyKey label take no pod at all.',
        'whenUnsatisfiable: DoNotSchedule 要求放下之后,所在拓扑域与最少的域之差不超过 maxSkew。有余量的节点放上去会超,该放的那个域又没地方。只要域里还有符合条件的节点就参与计算,满了也算;没有 topologyKey 标签的节点一律不能放。',
      ],
      steps: [
        podMessage,
        ['Read the constraints.', '看拓扑分布约束。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.topologySpreadConstraints}'"],
        ['See how the pods are spread now.', '看现有副本的分布。', 'kubectl get pods -n {namespace} -o wide --show-labels'],
        [
          'See the domains, and nodes that lack the label.',
          '看拓扑域划分,以及缺标签的节点。',
          'kubectl get nodes -L topology.kubernetes.io/zone,kubernetes.io/hostname',
        ],
        edit(
          'Add room in the domain that is short, raise maxSkew, or use ScheduleAnyway. With matchLabelKeys: [pod-template-hash] the old revision does not count during a rollout.',
          '给缺口所在的域加资源,或调大 maxSkew、改用 ScheduleAnyway;发布期间不想把旧版本算进来,加 matchLabelKeys: [pod-template-hash]。',
        ),
      ],
      avoid: [
        'Scaling down does not rebalance: the skew may come from pods that were removed. Deleting a pod of the fullest domain helps more than deleting the pending one.',
        '缩容不会重新均衡,倾斜可能是缩容造成的;该删的是最多的那个域里的 Pod,而不是 Pending 的这个。',
      ],
    }),
    too_many_pods: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.scheduler, DOCS.kubeletConfig, DOCS.networkPlugins],
      title: ['The nodes are at their maximum number of pods', '节点 Pod 数达到上限'],
      explanation: [
        'Each node takes at most allocatable.pods pods (kubelet maxPods, 110 by default). Cloud network plugins set it lower, from the number of IP addresses that the machine type can hold. CPU and memory may be far from used up.',
        '每个节点最多跑 allocatable.pods 个 Pod(kubelet maxPods,默认 110);云上网络插件会按机型能分到的 IP 数压得更低。这时 CPU、内存可能还剩很多。',
      ],
      steps: [
        allocatable,
        [
          'Count the pods a node; ended ones do not count.',
          '数一下各节点上的 Pod(已结束的不算)。',
          'kubectl get pods -A -o wide --field-selector status.phase!=Succeeded,status.phase!=Failed --sort-by=.spec.nodeName',
        ],
        [
          'Look for many small pods: jobs that run too parallel, sidecar-like helpers as pods, replicas nobody needs.',
          '看是否有大量小 Pod:并行度过高的 Job、多余的副本。',
          'kubectl get deployments,statefulsets,jobs -A',
        ],
        [
          'Add nodes, or raise maxPods where the pod CIDR of a node and its IP addresses allow it (kubelet configuration of the node pool).',
          '扩容节点;或者在节点 Pod CIDR、弹性网卡 IP 允许的前提下调大节点池的 maxPods。',
          'kubectl get nodes -o custom-columns=NAME:.metadata.name,CIDR:.spec.podCIDR,PODS:.status.capacity.pods',
        ],
      ],
      avoid: [
        'Do not raise maxPods above the addresses a node has: pods then get scheduled and fail with FailedCreatePodSandBox instead.',
        'maxPods 不要超过节点可分配的 IP 数,否则只是从调度失败变成 FailedCreatePodSandBox。',
      ],
    }),
    extended_resource: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.devicePlugins, DOCS.resources],
      title: ['Not enough GPUs or other extended resources', 'GPU 等扩展资源不足'],
      explanation: [
        'The pod asks for an extended resource (nvidia.com/gpu, RDMA, hugepages …) that only a device plugin, or the kubelet itself, makes known to the scheduler. Either all devices are taken, or no node offers any: the plugin does not run, its devices are unhealthy, or the driver of the node is broken, and allocatable reads 0.',
        'Pod 申请了扩展资源(nvidia.com/gpu、RDMA、hugepages 等),这类资源要靠 device plugin(或 kubelet)上报。要么设备都被占了,要么没有节点上报:device plugin 没跑、设备不健康、节点驱动坏了,allocatable 里是 0 或没有。',
      ],
      steps: [
        podMessage,
        [
          'See what each node offers. 0 or nothing on a GPU node points to the device plugin.',
          '看各节点上报的资源;GPU 节点上为 0 或没有,就是 device plugin 的问题。',
          "kubectl describe nodes | grep -E -A 14 '^Name:|^Capacity|^Allocatable'",
        ],
        [
          'Check that the device plugin runs on every device node, and read its log.',
          '看 device plugin 是否在每台设备节点上正常运行,并看日志。',
          "kubectl get pods -A -o wide | grep -i -E 'device-plugin|gpu|NAMESPACE'",
        ],
        [
          'Find who holds the devices: finished experiments and idle notebooks first.',
          '找出谁占着设备,先看跑完没删的实验和闲置的 Notebook。',
          "kubectl get pods -A -o custom-columns='NODE:.spec.nodeName,NAMESPACE:.metadata.namespace,POD:.metadata.name,LIMITS:.spec.containers[*].resources.limits' | grep -E 'gpu|rdma|NODE'",
        ],
        [
          'Restart the plugin if it lost its devices; otherwise free devices or add device nodes.',
          '插件丢设备就重启它的 DaemonSet;确实不够就释放或扩容 GPU 节点。',
          'kubectl rollout restart daemonset/PLUGIN -n kube-system',
        ],
      ],
      avoid: [
        'Extended resources cannot be overcommitted: request and limit must be equal whole numbers. Lowering only the request is refused.',
        '扩展资源不能超卖,request 与 limit 必须相等且为整数,只改 request 会被拒绝。',
      ],
    }),
    node_admission_rejected: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.scheduler, DOCS.topologyManager, DOCS.devicePlugins],
      title: ['The kubelet refused a pod that was placed', '调度成功但被 kubelet 拒绝'],
      explanation: [
        'Before it starts a pod, the kubelet checks again: free resources (OutOfcpu, OutOfmemory …), labels, ports, devices (UnexpectedAdmissionError) and NUMA alignment (TopologyAffinityError). The pod was placed on outdated knowledge or past the scheduler (spec.nodeName, static pods), or the node changed in between. It is Failed for good; its controller makes a new one, which may land on the same node and fail again.',
        'kubelet 启动 Pod 前会再检查一遍:剩余资源(OutOfcpu、OutOfmemory 等)、label、端口、设备(UnexpectedAdmissionError)、NUMA 对齐(TopologyAffinityError)。调度时的信息过期了、绕过了调度器(spec.nodeName、静态 Pod),或者期间节点变了。这个 Pod 直接 Failed 不会恢复,控制器会新建,但可能又落到同一台节点反复失败。',
      ],
      steps: [
        [
          'Read reason and message of the refusal.',
          '看拒绝的 reason 和 message。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.reason}: {.status.message}'",
        ],
        describeNode,
        [
          'See whether one node refuses again and again.',
          '看是不是同一台节点反复拒绝。',
          'kubectl get pods -A -o wide --field-selector status.phase=Failed,spec.nodeName={node}',
        ],
        [
          'UnexpectedAdmissionError: restart the device plugin of that node. TopologyAffinityError: relax the topology policy or ask for CPUs that fit one NUMA node. OutOf…: remove spec.nodeName, check static pods.',
          'UnexpectedAdmissionError:重启该节点的 device plugin;TopologyAffinityError:放宽 topology policy 或让 CPU 申请落在单个 NUMA 内;OutOf…:去掉 spec.nodeName,检查静态 Pod。',
          "kubectl get pods -A -o wide --field-selector spec.nodeName={node} | grep -i -E 'device-plugin|NAMESPACE'",
        ],
        ['Keep new pods off the node until it is understood.', '查清之前先 cordon 该节点。', 'kubectl cordon {node}'],
        [
          'Remove the Failed pods; they stay as objects and hold nothing.',
          '清理 Failed 的 Pod(只是残留对象,不占资源)。',
          'kubectl delete pods -n {namespace} --field-selector status.phase=Failed',
        ],
      ],
    }),
    scheduler_absent: buildCause({
      severity: 'critical',
      subject: 'workload',
      links: [DOCS.multipleSchedulers, DOCS.scheduler],
      title: ['No scheduler looks at the pod', '没有调度器处理该 Pod'],
      explanation: [
        'The pod has neither a PodScheduled condition nor a FailedScheduling Event, so no scheduler has tried. Each scheduler takes only pods with its own name in spec.schedulerName: the name has a typing error, that scheduler is not deployed or has lost its leader lease, or the default scheduler of the cluster is down, in which case every new pod waits.',
        'Pod 既没有 PodScheduled condition 也没有 FailedScheduling 事件,说明从没有调度器处理过它。调度器只认 spec.schedulerName 等于自己名字的 Pod:名字写错、对应调度器没部署或没抢到 leader,或者默认调度器挂了(那样所有新 Pod 都会卡住)。',
      ],
      steps: [
        ['Which scheduler does the pod wait for?', '看 Pod 在等哪个调度器。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.schedulerName}'"],
        [
          'Do others wait as well? If all new pods do, the scheduler is down.',
          '看别的 Pod 是否也卡着;全都卡就是调度器挂了。',
          'kubectl get pods -A --field-selector status.phase=Pending',
        ],
        [
          'Does the scheduler run? Managed control planes do not show it.',
          '看调度器是否在跑(托管控制面里看不到)。',
          "kubectl get pods -A | grep -i -E 'scheduler|NAMESPACE'",
        ],
        ['Who holds the lease, and when was it renewed?', '看 leader 租约是谁、最近一次续约时间。', 'kubectl get lease kube-scheduler -n kube-system -o yaml'],
        edit(
          'Correct schedulerName (it cannot be changed in a living pod, only in the template), or start the scheduler.',
          '修正模板里的 schedulerName(已有 Pod 改不了),或把调度器拉起来。',
        ),
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.scheduler, DOCS.assignPods],
      title: ['Not scheduled, for a reason podtrail does not know', '调度失败(其他原因)'],
      explanation: [
        'The scheduler refuses the pod with words that belong to none of the known filters, or with an error of its own (SchedulerError). Custom plugins, scheduler extenders and gang scheduling bring reasons of their own. The evidence quotes the scheduler.',
        '调度器给出的原因不属于已知的任何一类,或者是它自身报错(SchedulerError)。自定义插件、extender、gang 调度都有各自的原因文案,原话见证据。',
      ],
      steps: [
        podMessage,
        podEvents,
        requirements,
        [
          'Find the scheduler that is responsible, and read its log.',
          '找到负责的调度器,看它的日志。',
          "kubectl get pods -A | grep -i -E 'scheduler|NAMESPACE'",
        ],
      ],
    }),
  },
};
