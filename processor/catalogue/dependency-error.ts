/** Causes of dependency_error: a volume, ConfigMap, Secret or key keeps the containers of a placed pod from being created. */
import type { StepPair } from './build-cause.ts';
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { attachments, csiPods, describeClaim, describePod, edit, kubeletLog, onNode, podEvents } from './steps.ts';

const references: StepPair = [
  'See where the pod refers to it: volumes, envFrom, env.valueFrom.',
  '看 Pod 在哪里引用了它:volumes、envFrom 还是 env.valueFrom。',
  'kubectl get pod {pod} -n {namespace} -o yaml',
];
const wait: StepPair = [
  'The kubelet retries by itself within about two minutes. To see it at once, delete the pod.',
  '补上之后 kubelet 会在两分钟左右自动重试;想立刻见效就删掉 Pod。',
  'kubectl delete pod {pod} -n {namespace}',
];

export const DEPENDENCY_ERROR: ScenarioEntry = {
  en: { title: 'Dependency error' },
  zh: { title: '依赖项错误' },
  causes: {
    missing_configmap: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.configMaps, DOCS.debugPods],
      title: ['A ConfigMap does not exist', 'ConfigMap 不存在'],
      explanation: [
        'The pod refers to a ConfigMap that is not in its namespace. As a volume it shows as FailedMount with the pod in ContainerCreating; as environment it shows as CreateContainerConfigError. The pod waits, and starts once the object exists. Pods that already run go on, so the loss shows only at the next restart.',
        'Pod 引用的 ConfigMap 在本命名空间不存在。以卷方式引用表现为 FailedMount、卡在 ContainerCreating;以环境变量引用表现为 CreateContainerConfigError。对象补上后 Pod 会自动起来。已在运行的 Pod 不受影响,所以删错了往往到下次重启才暴露。',
      ],
      steps: [
        podEvents,
        [
          'Which ConfigMaps exist? Look for the name in another namespace or with another suffix.',
          '看现有的 ConfigMap,注意是否建到了别的命名空间,或名字带了别的后缀。',
          'kubectl get configmaps -n {namespace}',
        ],
        references,
        ['Create it from its source (chart, GitOps repository).', '从源头(Helm、GitOps 仓库)重新创建。', 'kubectl apply -n {namespace} -f CONFIGMAP.yaml'],
        edit('Or correct the name, or mark the reference optional: true where the app can do without.', '或修正引用的名字;确实可有可无的设 optional: true。'),
        wait,
      ],
      avoid: [
        'Do not create an empty ConfigMap to get the pod running: it starts without its configuration, and looks healthy.',
        '不要建一个空的 ConfigMap 顶上:Pod 起来了,但没有配置,看着还是健康的。',
      ],
    }),
    missing_secret: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.secrets, DOCS.debugPods],
      title: ['A Secret does not exist', 'Secret 不存在'],
      explanation: [
        'The pod refers to a Secret that is not in its namespace. Secrets are often made by a controller: an external secret store, a certificate manager, an operator; then that controller is what failed. A volume shows as FailedMount, environment as CreateContainerConfigError, and the pod starts once the Secret exists.',
        'Pod 引用的 Secret 在本命名空间不存在。Secret 往往由控制器生成(External Secrets、cert-manager、各类 Operator),这时真正出问题的是那个控制器。卷方式表现为 FailedMount,环境变量方式表现为 CreateContainerConfigError,补上后自动恢复。',
      ],
      steps: [
        podEvents,
        ['Which Secrets exist in the namespace?', '看命名空间里有哪些 Secret。', 'kubectl get secrets -n {namespace}'],
        references,
        [
          'If a controller makes it, read what that controller says.',
          '由控制器生成的,看控制器的报错。',
          'kubectl get events -n {namespace} --sort-by=.lastTimestamp',
        ],
        [
          'Otherwise create it from files, so that no value stands on the command line.',
          '否则用文件创建,别把值写在命令行里。',
          'kubectl create secret generic SECRET -n {namespace} --from-file=KEY=FILE',
        ],
        wait,
      ],
      avoid: [
        'Do not copy the Secret of another namespace or environment without asking: it may open production to a test.',
        '不要随手从别的命名空间或环境复制 Secret,可能让测试环境连上生产。',
      ],
    }),
    missing_key: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.configMaps, DOCS.secrets],
      title: ['The ConfigMap or Secret lacks a key', 'ConfigMap/Secret 缺少 key'],
      explanation: [
        'The object exists, but not the key that env.valueFrom or items names. Usually the application and its configuration were released apart, or the key was renamed. Keys are exact: case, dots and dashes count.',
        '对象存在,但 env.valueFrom 或 items 引用的 key 没有。多半是应用和配置分开发布没对齐,或者 key 改名了。key 严格匹配,大小写、点、横线都算。',
      ],
      steps: [
        podEvents,
        ['List the keys of the ConfigMap that the message names.', '看报错中 ConfigMap 的 key。', 'kubectl describe configmap CONFIGMAP -n {namespace}'],
        [
          'Or of the Secret: describe shows names and sizes, no values.',
          '看 Secret 的 key:describe 只显示名字和大小,不显示值。',
          'kubectl describe secret SECRET -n {namespace}',
        ],
        references,
        edit(
          'Correct the key in the workload, or add it to the object; optional: true where it may be absent.',
          '修正引用的 key 或给对象补上;允许缺省的设 optional: true。',
        ),
        wait,
      ],
    }),
    missing_volume: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.volumes],
      title: ['A volume does not exist or is not bound', '存储卷不存在或未绑定'],
      explanation: [
        'The claim, the PersistentVolume or the disk behind it is gone or was never there. The claim is not bound (a pod with spec.nodeName skips the scheduler, which would have waited), the disk was deleted in the cloud console, or a volume handle, share or path is wrong. The pod is on its node and stays in ContainerCreating.',
        'PVC、PV 或背后的云盘不存在。可能是 PVC 未绑定(写死 spec.nodeName 的 Pod 绕过了调度器的等待)、云盘在控制台被删了,或者 volumeHandle、共享名、路径写错。Pod 已经在节点上,一直停在 ContainerCreating。',
      ],
      steps: [
        podEvents,
        describeClaim,
        ['Read the PersistentVolume: phase, volumeHandle, reclaim policy.', '看 PV 的状态、volumeHandle 和回收策略。', 'kubectl get pv -o wide'],
        [
          'Check in the console of the cloud or storage that the disk with this handle exists; then correct the volume, or restore the disk from a snapshot.',
          '到云控制台或存储侧核对该 volumeHandle 对应的盘是否还在;不在就从快照恢复,写错就改 PV。',
          'kubectl get pv -o custom-columns=NAME:.metadata.name,CLAIM:.spec.claimRef.name,HANDLE:.spec.csi.volumeHandle',
        ],
        wait,
      ],
      avoid: ['Do not delete and recreate the claim before you know whether the disk can be restored.', '在确认盘能否找回之前,不要删 PVC 重建。'],
    }),
    volume_attach_failed: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.volumeLimits, DOCS.statefulForce],
      title: ['A volume cannot be attached to the node', '存储卷挂载到节点失败(Attach)'],
      explanation: [
        'Before a disk can be mounted, the attach-detach controller and the CSI driver attach it to the machine. "Multi-Attach error" means that it is still attached elsewhere: the old pod has not gone, or its node died, and then Kubernetes waits 6 minutes before it detaches by force, or for the out-of-service taint. Other errors are of the cloud: quota, the limit of disks a machine, a wrong zone, missing rights.',
        '云盘要先由 attach-detach 控制器和 CSI 驱动挂到机器上。Multi-Attach error 说明盘还挂在别的节点:旧 Pod 没退,或旧节点宕机(Kubernetes 要等 6 分钟才强制 detach,或等 out-of-service 污点)。其他报错来自云侧:配额、单机挂盘上限、可用区不符、权限不足。',
      ],
      steps: [
        podEvents,
        attachments,
        ['Who else uses the claim?', '看还有谁在用这个 PVC(Used By)。', 'kubectl describe pvc {claim} -n {namespace}'],
        csiPods,
        [
          'Let the old pod go: scale down, or delete it and wait until it is really gone.',
          '让旧 Pod 退出:缩容或删除,并等到真正消失。',
          'kubectl get pods -n {namespace} -o wide',
        ],
        [
          'Old node dead for good and powered off: say so, and its volumes are released at once.',
          '旧节点确认已关机且不会回来:打上 out-of-service 污点,卷会立即释放。',
          'kubectl taint nodes OLD_NODE node.kubernetes.io/out-of-service=nodeshutdown:NoExecute',
        ],
      ],
      avoid: [
        'Never set the out-of-service taint or force-delete the pod while the old machine may still write: two writers destroy the file system.',
        '旧机器可能还在写盘时,绝不要打 out-of-service 污点或强删 Pod,双写会毁掉文件系统。',
      ],
    }),
    mount_failed: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.volumes, DOCS.debugNode],
      title: ['A volume cannot be mounted', '存储卷挂载失败(Mount)'],
      explanation: [
        'The volume is at the node, but mounting it into the pod fails: the server does not answer, the file system or its options are wrong or damaged, a helper (nfs-common, cifs-utils) is missing on the node, the CSI driver does not run there, a hostPath has another type, or a subPath does not fit. With large volumes and fsGroup, the kubelet may also be changing the owner of every file.',
        '卷已到节点,但挂进 Pod 失败:存储服务端不响应、文件系统或挂载参数不对、文件系统损坏、节点缺 nfs-common/cifs-utils 之类的客户端、CSI 驱动没跑、hostPath 类型不符、subPath 不对。卷很大又设了 fsGroup 时,也可能是 kubelet 在逐个文件改属主。',
      ],
      steps: [
        podEvents,
        csiPods,
        ['See which drivers are registered on the node.', '看节点上注册了哪些 CSI 驱动。', 'kubectl get csinode {node} -o yaml'],
        ['Read the kernel log of the node for I/O and file system errors.', '看节点内核日志里有没有 I/O、文件系统错误。', onNode('dmesg -T')],
        kubeletLog,
        edit(
          'Correct options, path or type; for a slow fsGroup set fsGroupChangePolicy: OnRootMismatch.',
          '修正挂载参数、路径或类型;fsGroup 慢就设 fsGroupChangePolicy: OnRootMismatch。',
        ),
      ],
      avoid: ['Do not run fsck on a disk that may be mounted elsewhere.', '盘可能还挂在别处时不要跑 fsck。'],
    }),
    access_denied: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.volumes, DOCS.persistentVolumes, DOCS.securityContext],
      title: ['Access to a volume is denied', '存储卷访问被拒绝'],
      explanation: [
        'The storage answers, but refuses this node or these credentials. An NFS export or security group does not list the address of the node, a share password or key is wrong or rotated, the CSI driver or node lacks the cloud right, or a file of the volume is not permitted to the user.',
        '存储侧有响应,但拒绝了这个节点或这份凭证。常见原因:NFS 导出或权限组里没有该节点的地址、共享账号/密钥不对或已轮换、CSI 驱动或节点缺云上权限,或者文件权限不允许。',
      ],
      steps: [
        podEvents,
        [
          'From which address does the node come? Compare it with the export or access list of the storage.',
          '看节点的来源地址,与存储侧的导出/权限组对照。',
          'kubectl get node {node} -o wide',
        ],
        [
          'Does the volume name a Secret with credentials? Is it there and current?',
          '卷是否引用了凭证 Secret?是否存在、是否过期?',
          'kubectl get pv -o custom-columns=NAME:.metadata.name,CLAIM:.spec.claimRef.name,SECRET:.spec.csi.nodePublishSecretRef.name',
        ],
        csiPods,
        [
          'Allow the node at the storage, renew the credentials, or give the driver its role. For owners of files, set fsGroup or runAsUser.',
          '在存储侧放行节点、更新凭证,或给驱动补上角色权限;文件属主问题用 fsGroup/runAsUser 解决。',
          'kubectl edit {workloadKind}/{workload} -n {namespace}',
        ],
        wait,
      ],
      avoid: ['Do not open the export to everyone or run the pod privileged to get past it.', '不要把导出放开给所有人,也不要用 privileged 绕过去。'],
    }),
    readonly_volume: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.persistentVolumes, DOCS.volumes],
      title: ['A read-only volume is used for writing', '只读存储卷被以读写方式使用'],
      explanation: [
        'The volume is read-only (access mode ReadOnlyMany, readOnly: true in the claim or volume, a write-protected snapshot or disk, or a file system that the kernel turned read-only after an error), while the pod mounts it for writing or the runtime must create a mount point inside it. ConfigMap and Secret volumes are read-only too, so nothing can be mounted below them.',
        '卷是只读的(accessModes 为 ReadOnlyMany、PVC/volume 里写了 readOnly: true、写保护的快照或磁盘,或文件系统出错后被内核置为只读),而 Pod 要读写挂载,或运行时要在里面建挂载点。ConfigMap/Secret 卷也是只读的,下面不能再挂别的卷。',
      ],
      steps: [
        podEvents,
        ['Read the access modes of the claim and its volume.', '看 PVC/PV 的访问模式。', 'kubectl get pvc,pv -n {namespace}'],
        [
          'Read the mounts of the pod: readOnly, and mounts inside other mounts.',
          '看 Pod 的挂载:readOnly 字段,以及嵌套挂载。',
          'kubectl get pod {pod} -n {namespace} -o yaml',
        ],
        ['Did the kernel turn it read-only because of errors?', '看是否因为 I/O 错误被内核置为只读。', onNode('dmesg -T')],
        edit(
          'Mount with readOnly: true, move the nested mount, or use a volume of access mode ReadWriteOnce or ReadWriteMany.',
          '挂载处加 readOnly: true,挪开嵌套挂载,或换成 ReadWriteOnce/ReadWriteMany 的卷。',
        ),
      ],
    }),
    illegal_mount_path: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.volumes],
      title: ['A volume is mounted where the runtime forbids it', '挂载路径非法'],
      explanation: [
        'The API server accepts nearly every mountPath, but the runtime refuses some: /proc and below it, the root /, /sys paths that it mounts itself; and the kubelet refuses a subPath that is absolute or leaves the volume with "..". The container fails at create or start, on every node alike.',
        'API Server 几乎不校验 mountPath,但运行时会拒绝:/proc 及其下、根目录 /、由运行时自己挂的 /sys 路径;kubelet 还会拒绝绝对路径或带 .. 的 subPath。容器在创建/启动阶段就失败,换节点也一样。',
      ],
      steps: [
        describePod,
        ['Read the mounts.', '看 volumeMounts。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].volumeMounts}'"],
        edit(
          'Move the mount to a directory of its own. To show a single file, mount it with subPath; for facts about the node use hostPath at another path, such as /host/proc.',
          '换成独立目录;只想放单个文件就用 subPath;需要宿主机信息就把 hostPath 挂到 /host/proc 之类的路径。',
        ),
      ],
      avoid: [
        'Do not mount over directories that the image needs (/bin, /etc, /app): the start command then seems to be missing.',
        '也别挂到镜像自己要用的目录(/bin、/etc、/app)上,会把里面的文件遮住,表现为启动命令找不到。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.debugPods, DOCS.volumes],
      title: ['Something the pod depends on is not available', '依赖项错误(其他原因)'],
      explanation: [
        'The containers of a placed pod are not created because something it refers to cannot be prepared, for a reason that podtrail does not know. Events of the pod and the log of the kubelet name it.',
        'Pod 已调度,但引用的某个对象准备不好,容器创建不了,原因不在已知类别里。看 Pod 事件和 kubelet 日志。',
      ],
      steps: [podEvents, references, kubeletLog],
    }),
  },
};
