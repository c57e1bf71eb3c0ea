/** Causes of container_create_failure: the pod is refused before it exists, or its sandbox or a container cannot be created. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { containerImage, describeNode, describePod, edit, kubeletLog, onNode, podEvents, restartRuntime, runtimeLog, undo, workloadEvents } from './steps.ts';

export const CONTAINER_CREATE_FAILURE: ScenarioEntry = {
  en: { title: 'Container creation failure' },
  zh: { title: '容器创建失败' },
  causes: {
    bad_command: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.command, DOCS.debugPods],
      title: ['The start command cannot be executed', '启动命令无法执行'],
      explanation: [
        'The runtime set up the container and failed to execute its first program: it is not in the PATH, the path does not exist, the file is not executable, it is a directory, or workingDir is missing. A whole command line in one array element is the classic: exec looks for a program named "java -jar app.jar", since no shell is involved. containerd and Docker report it at the start (RunContainerError), CRI-O at the creation (CreateContainerError).',
        '容器已准备好,但第一个程序 exec 失败:不在 PATH 里、路径不存在、没有执行权限、是个目录,或 workingDir 不存在。最经典的错误是把整行命令写进一个数组元素:没有 shell 参与,exec 会去找名叫 “java -jar app.jar” 的程序。containerd/Docker 在启动时报 RunContainerError,CRI-O 在创建时报 CreateContainerError。',
      ],
      steps: [
        podEvents,
        containerImage,
        [
          'Start a copy that only sleeps, and look for the program inside: ls, which, file permissions.',
          '起一个只 sleep 的副本,进去看程序在不在、权限对不对(ls、which)。',
          'kubectl debug {pod} -n {namespace} -it --copy-to={pod}-debug --container={container} --profile=general -- sh',
        ],
        ['Compare with what the image starts by itself.', '对照镜像自带的 ENTRYPOINT/CMD。', 'skopeo inspect --config docker://{image}'],
        edit(
          'Give command and args as one element a word, with an absolute path; where you need a shell, write ["sh", "-c", "…"]. See that no volume covers the directory of the program.',
          'command/args 按词拆成数组,用绝对路径;需要 shell 语法就写 ["sh", "-c", "…"]。检查是不是有卷挂在程序所在目录上把它遮住了。',
        ),
        undo,
      ],
      avoid: [
        'Do not swap command and args: command replaces ENTRYPOINT, args replaces CMD, and setting command alone drops the CMD of the image.',
        '别搞混 command 和 args:command 覆盖 ENTRYPOINT,args 覆盖 CMD;只写 command 会连镜像的 CMD 一起丢掉。',
      ],
    }),
    missing_command: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.command],
      title: ['Neither pod nor image names a start command', '没有启动命令'],
      explanation: [
        'The pod sets no command and the image has neither ENTRYPOINT nor CMD, so there is nothing to run ("no command specified"). Base images from scratch, and images whose last build stage lost its ENTRYPOINT, are like that.',
        'Pod 没写 command,镜像里也没有 ENTRYPOINT/CMD,运行时不知道该跑什么(no command specified)。常见于 FROM scratch 的基础镜像,或多阶段构建最后一阶段漏了 ENTRYPOINT。',
      ],
      steps: [
        containerImage,
        ['Look at the Entrypoint and Cmd of the image.', '看镜像的 Entrypoint 和 Cmd。', 'skopeo inspect --config docker://{image}'],
        edit(
          'Set command in the workload, or add ENTRYPOINT to the Dockerfile and build a new tag.',
          '在负载里写 command,或在 Dockerfile 补 ENTRYPOINT 后换新 tag 重新发布。',
        ),
      ],
    }),
    security_policy: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.podSecurityAdmission, DOCS.podSecurity, DOCS.securityContext],
      title: ['A security policy refuses the pod or container', '违反安全策略'],
      explanation: [
        'The pod asks for more than it may have. At admission, Pod Security (or PodSecurityPolicy before 1.25, SCC on OpenShift) refuses it: no pod exists, only FailedCreate Events, and the Deployment itself was accepted with no more than a warning. On the node, the kubelet refuses an image that runs as root under runAsNonRoot, a sysctl, or a seccomp or AppArmor profile that the node does not have.',
        'Pod 要的权限超出允许范围。准入阶段被 Pod Security(1.25 前是 PodSecurityPolicy,OpenShift 是 SCC)拒绝:没有 Pod,只有 FailedCreate 事件,而 Deployment 本身只给个 warning 就通过了。节点侧则是 kubelet 拒绝:runAsNonRoot 但镜像以 root 运行、sysctl 不在白名单、节点上没有对应的 seccomp/AppArmor profile。',
      ],
      steps: [
        workloadEvents,
        ['Which level does the namespace enforce?', '看命名空间强制的 Pod Security 级别。', 'kubectl get namespace {namespace} --show-labels'],
        ['Read the securityContext of the template.', '看模板里的 securityContext。', 'kubectl get {workloadKind} {workload} -n {namespace} -o yaml'],
        [
          'See what else a level would refuse, without changing anything.',
          '不实际生效,先看按某级别还有哪些会被拒。',
          'kubectl label namespace {namespace} pod-security.kubernetes.io/enforce=restricted --dry-run=server --overwrite',
        ],
        edit(
          'Bring the workload within the policy: runAsNonRoot with a numeric runAsUser, allowPrivilegeEscalation: false, capabilities drop ALL, seccompProfile RuntimeDefault.',
          '让负载满足策略:runAsNonRoot 配数字的 runAsUser、allowPrivilegeEscalation: false、capabilities drop ALL、seccompProfile 用 RuntimeDefault。',
        ),
      ],
      avoid: [
        'Do not lower the label of the namespace for one pod; move what really needs privileges (node agents) to a namespace of its own.',
        '不要为一个 Pod 放松整个命名空间的级别;确实需要特权的(节点 agent)放到单独的命名空间。',
      ],
    }),
    admission_denied: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.webhooks, DOCS.limitRanges, DOCS.debugCluster],
      title: ['An admission webhook or policy refuses the pod', '被准入 Webhook 或策略拒绝'],
      explanation: [
        'Every pod passes the admission chain before it is stored: webhooks, ValidatingAdmissionPolicies, LimitRanger, PriorityClass, RuntimeClass. One of them refuses, so there is no pod, only FailedCreate Events that quote it. Detail webhook_unreachable: nobody refused; the webhook did not answer (no endpoints, timeout, bad certificate), and its failurePolicy is Fail, which can stop every new pod in the cluster, that of the webhook itself included.',
        'Pod 落库前要过准入链:Webhook、ValidatingAdmissionPolicy、LimitRanger、PriorityClass、RuntimeClass 等。其中一个拒绝了,所以没有 Pod,只有 FailedCreate 事件。detail 为 webhook_unreachable:并不是被拒,而是 Webhook 没响应(没有 endpoints、超时、证书问题)且 failurePolicy 为 Fail,严重时全集群都建不出 Pod,包括 Webhook 自己的。',
      ],
      steps: [
        workloadEvents,
        [
          'List the webhooks: which one, for which namespaces, with which failurePolicy?',
          '列出 Webhook:是哪个、匹配哪些命名空间、failurePolicy 是什么。',
          "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o custom-columns='NAME:.metadata.name,SERVICE:.webhooks[*].clientConfig.service.name,NAMESPACE:.webhooks[*].clientConfig.service.namespace,POLICY:.webhooks[*].failurePolicy'",
        ],
        [
          'Refused: read the limits of the namespace and make the pod fit.',
          '被拒绝:看命名空间的 LimitRange 等约束,让 Pod 满足。',
          'kubectl describe limitrange -n {namespace}',
        ],
        [
          'Unreachable: does the Service behind the webhook have endpoints? SERVICE and WEBHOOK_NAMESPACE stand in the list above.',
          '不可达:看 Webhook 的 Service 有没有 endpoints(SERVICE、WEBHOOK_NAMESPACE 见上一步)。',
          'kubectl get endpointslices -n WEBHOOK_NAMESPACE -l kubernetes.io/service-name=SERVICE',
        ],
        [
          'Try the creation without carrying it out.',
          '用 dry-run 验证能否创建。',
          'kubectl run admission-check -n {namespace} --image=busybox:1.36 --dry-run=server',
        ],
        edit('Change the workload as the policy wants, or the policy with its owner.', '按策略要求改负载,或找策略负责人调整策略。'),
      ],
      avoid: [
        'Do not delete the webhook configuration: its controller restores it, or nothing is checked any more. If it blocks the whole cluster, set failurePolicy: Ignore for as long as the repair takes, and exempt kube-system.',
        '不要直接删 Webhook 配置。真把全集群堵死了,就临时改成 failurePolicy: Ignore,修好再改回来,并把 kube-system 排除在外。',
      ],
    }),
    rbac_forbidden: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.rbac, DOCS.serviceAccounts],
      title: ['A controller or the kubelet lacks a right (RBAC)', 'RBAC 权限不足'],
      explanation: [
        'The API server refused a controller that wanted to create the pod, or the kubelet or a driver that wanted to read an object for it: "User … cannot …". Usually a ClusterRole or binding was lost or never installed with an operator. (If the application itself lacks rights, its container starts and its own log says Forbidden.)',
        'API Server 拒绝了控制器创建 Pod 的请求,或拒绝了 kubelet/驱动为该 Pod 读取对象的请求:User … cannot …。多半是 ClusterRole/Binding 丢了,或 Operator 装得不全。(如果是应用自己没权限,容器能起来,报错在应用日志里。)',
      ],
      steps: [
        workloadEvents,
        [
          'Ask whether that user may: fill in what stands in the message.',
          '用报错里的用户验证权限。',
          'kubectl auth can-i create pods -n {namespace} --as=system:serviceaccount:NAMESPACE:SERVICEACCOUNT',
        ],
        ['Which bindings name the user?', '看哪些绑定涉及该用户。', "kubectl get rolebindings,clusterrolebindings -A -o wide | grep -E 'SERVICEACCOUNT|NAME'"],
        [
          'Bind the role that belongs to it: reinstall the operator with its roles, or bind one in this namespace only.',
          '补上对应角色:重装 Operator 的 RBAC,或只在本命名空间绑定。',
          'kubectl create rolebinding BINDING -n {namespace} --clusterrole=ROLE --serviceaccount=NAMESPACE:SERVICEACCOUNT',
        ],
      ],
      avoid: ['Do not bind cluster-admin to make the message go away.', '不要直接绑 cluster-admin 了事。'],
    }),
    missing_service_account: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.serviceAccounts],
      title: ['The ServiceAccount does not exist', 'ServiceAccount 不存在'],
      explanation: [
        'spec.serviceAccountName names an account that is not in the namespace, so admission refuses the pod and only the controller says so; or it was deleted under a pod whose token can then not be made. In a new namespace "default" appears a moment after the namespace; that passes by itself.',
        'spec.serviceAccountName 指定的账号在本命名空间不存在,准入直接拒绝,只有控制器上有事件;或者账号在 Pod 还在时被删,token 签发不出来。新建命名空间时 default 账号会晚一点出现,这种会自己恢复。',
      ],
      steps: [
        workloadEvents,
        ['Which accounts exist?', '看有哪些 ServiceAccount。', 'kubectl get serviceaccounts -n {namespace}'],
        [
          'Which one does the workload want?',
          '看负载要用哪个。',
          "kubectl get {workloadKind} {workload} -n {namespace} -o jsonpath='{.spec.template.spec.serviceAccountName}'",
        ],
        [
          'Create it, with its role bindings, from the source of the application.',
          '连同 RoleBinding 一起从应用的部署清单里补上。',
          'kubectl create serviceaccount SERVICEACCOUNT -n {namespace}',
        ],
        edit('Or correct the name in the template.', '或修正模板里的名字。'),
      ],
    }),
    memory_limit_too_low: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.memory, DOCS.resources],
      title: ['The memory limit is too low even to start', '内存 limit 过低,容器无法启动'],
      explanation: [
        'The limit is so small that the init of the runtime, which already runs inside it, is killed before the program starts ("container init was OOM-killed"), or the runtime refuses it outright. It shows as a create or start error, not as OOMKilled. Nearly always a unit is wrong: 128m is a tenth of a byte, 128Mi was meant. A tmpfs emptyDir filled by an earlier container counts too.',
        'limit 小到连运行时的 init 进程都放不下,业务进程还没启动就被杀(container init was OOM-killed),或运行时直接拒绝。表现为创建/启动错误,而不是 OOMKilled。几乎都是单位写错:128m 是 0.128 字节,本意是 128Mi。内存型 emptyDir 里的数据也算在内。',
      ],
      steps: [
        podEvents,
        ['Read the limits, with their units.', '看 limits,注意单位。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].resources}'"],
        ['Does a LimitRange set it?', '看是不是 LimitRange 给的默认值。', 'kubectl get limitrange -n {namespace} -o yaml'],
        edit('Set a limit in Mi or Gi that the program can live with.', '改成合理的值,单位用 Mi/Gi。'),
      ],
    }),
    sandbox_failed: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.networkPlugins, DOCS.debugCluster, DOCS.crictl],
      title: ["The pod's sandbox or network cannot be set up", 'Pod 沙箱(sandbox)创建失败'],
      explanation: [
        'Before any container, the runtime creates the sandbox: a pause container with the network that the CNI plugin gives it. The plugin is not ready or fails, its IP addresses are used up, the pause image cannot be pulled, the runtime handler of the RuntimeClass does not exist, or the runtime hangs. Pods stay in ContainerCreating. Several pods on one node point to that node; on all nodes, to the network plugin.',
        '在创建任何容器之前,运行时要先建沙箱:pause 容器加上 CNI 分配的网络。CNI 没就绪或报错、IP 用尽、pause 镜像拉不下来、RuntimeClass 对应的 handler 不存在、运行时卡死,都会让 Pod 停在 ContainerCreating。只有一台节点这样就查该节点,全都这样就查网络插件。',
      ],
      steps: [
        podEvents,
        [
          'See whether other pods of the node hang too.',
          '看同节点的其他 Pod 是否也卡住。',
          'kubectl get pods -A -o wide --field-selector spec.nodeName={node},status.phase=Pending',
        ],
        [
          'Does the agent of the network plugin run on that node?',
          '看该节点上网络插件的 Pod 是否正常。',
          'kubectl get pods -n kube-system -o wide --field-selector spec.nodeName={node}',
        ],
        ['See the sandboxes as the runtime sees them.', '从运行时侧看沙箱状态。', onNode('crictl pods')],
        [
          'IP addresses used up: count the pods of the node against its range.',
          'IP 用尽:对照节点 Pod 网段和已有 Pod 数。',
          'kubectl get node {node} -o custom-columns=NAME:.metadata.name,CIDR:.spec.podCIDR,PODS:.status.allocatable.pods',
        ],
        restartRuntime,
      ],
      avoid: [
        'Do not delete network namespaces or files under /var/lib/cni by hand: addresses stay reserved for pods that no longer exist.',
        '不要手工删 netns 或 /var/lib/cni 下的文件,IP 分配记录会错乱。',
      ],
    }),
    runtime_error: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.runtimes, DOCS.crictl, DOCS.debugNode],
      title: ['The container runtime cannot create the container', '容器运行时错误'],
      explanation: [
        'containerd, CRI-O or Docker failed for a reason of its own: a name still reserved by an attempt that timed out after 2 minutes, cgroups or the kernel out of something, a hook (NVIDIA and others) that fails, a shim that cannot start, a disk that is too slow. The spec of the pod is not at fault when other pods of the node fail alike.',
        'containerd/CRI-O/Docker 自身出错:上一次创建超时(2 分钟)后名字仍被占用、cgroup 或内核资源不足、hook(如 NVIDIA)失败、shim 起不来、磁盘太慢。同节点其他 Pod 也这样,就不是 Pod 配置的问题。',
      ],
      steps: [
        podEvents,
        describeNode,
        runtimeLog,
        ['Does the runtime answer, and is it ready?', '看运行时是否正常响应。', onNode('crictl info')],
        ['Look for kernel errors: cgroups, disk, memory.', '看内核报错:cgroup、磁盘、内存。', onNode('dmesg -T')],
        ['Move the pod to another node to compare, and keep this one free of new pods.', '先 cordon 该节点,让 Pod 到别的节点上对比。', 'kubectl cordon {node}'],
      ],
      avoid: ['Do not reboot before you have saved the logs: that is the only trace of a runtime error.', '不要先重启节点再找原因,运行时的错误只在日志里。'],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.debugPods, DOCS.debugCluster],
      title: ['The pod or container cannot be created', '容器创建失败(其他原因)'],
      explanation: [
        'The API server, the kubelet or the runtime refuses to create the pod or one of its containers, in words that belong to no known family. The evidence quotes them.',
        'API Server、kubelet 或运行时拒绝创建 Pod/容器,报错不在已知类别里。原话见证据。',
      ],
      steps: [workloadEvents, describePod, kubeletLog],
    }),
  },
};
