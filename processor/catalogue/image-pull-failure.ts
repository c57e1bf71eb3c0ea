/** Causes of image_pull_failure: the node cannot get the image of a container. */
import type { StepPair } from './build-cause.ts';
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { containerImage, describeNode, edit, onNode, podEvents, runtimeLog } from './steps.ts';

/** The runtime's own pull: the same path, certificates and proxy as the kubelet's, without its credentials. */
const pullOnNode: StepPair = [
  'Pull by hand on the node, over the same runtime, and watch where it stops. Without --creds it is anonymous.',
  '在节点上用 crictl 手动拉一次,看卡在哪一步(不带 --creds 就是匿名拉取)。',
  onNode('crictl pull {image}'),
];
const inspect: StepPair = [
  'Ask the registry for the manifest from your machine.',
  '在自己机器上查仓库里有没有这个镜像。',
  'skopeo inspect --raw docker://{image}',
];
const fixImage = edit('Correct the image in the workload.', '修正负载模板里的镜像地址。');

export const IMAGE_PULL_FAILURE: ScenarioEntry = {
  en: { title: 'Image pull failure' },
  zh: { title: '镜像拉取失败' },
  causes: {
    image_not_found: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images, DOCS.debugPods],
      title: ['The image or tag does not exist', '镜像或 tag 不存在'],
      explanation: [
        'The registry answers that it has no such repository, tag or digest. The name or tag has a typing error, the build never pushed it, it went to another registry or project, or a retention policy removed it. Running pods are not touched; every new pod, also one that merely moves to another node, fails.',
        '仓库明确返回没有这个 repository、tag 或 digest:写错了、流水线没推上去、推到了别的仓库/项目,或者被镜像清理策略删了。已在运行的 Pod 不受影响,但新建或漂移到新节点的都会失败。',
      ],
      steps: [
        containerImage,
        inspect,
        ['List the tags that exist.', '列出实际存在的 tag。', 'skopeo list-tags docker://REGISTRY/REPOSITORY'],
        fixImage,
        [
          'Or go back to the revision that worked, while the image is built again.',
          '或者先回滚到上一个可用版本,同时重新构建推送。',
          'kubectl rollout undo {workloadKind}/{workload} -n {namespace}',
        ],
      ],
      avoid: [
        'Do not overwrite a tag to repair it: nodes that have the old image keep it under IfNotPresent, and replicas then run different code.',
        '不要用同名 tag 覆盖推送来“修复”:IfNotPresent 下已有旧镜像的节点不会再拉,副本之间会跑不同的代码。',
      ],
    }),
    invalid_image_name: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images],
      title: ['The image reference is not well-formed', '镜像地址格式非法(InvalidImageName)'],
      explanation: [
        'The kubelet cannot read the image reference, so it never asks a registry. Repository names are lower case; a tag follows one colon, a digest an @; a scheme such as https:// does not belong there. A template variable that was left empty or unreplaced is the usual origin. CRI-O also refuses short names without a registry when it enforces short-name mode.',
        'kubelet 连镜像地址都解析不了,根本没去请求仓库。仓库名必须小写,tag 前一个冒号,digest 前是 @,不能带 https:// 前缀。最常见的是模板变量没渲染出来(空 tag,或占位符原样写了进去)。CRI-O 在 short-name enforcing 模式下也会拒绝不带仓库域名的短名。',
      ],
      steps: [
        containerImage,
        ['See where it came from: the template of the workload.', '看负载模板里写的是什么。', 'kubectl get {workloadKind} {workload} -n {namespace} -o yaml'],
        [
          'Look for the variable in your chart or pipeline that was empty, then correct the image.',
          '检查 Helm/流水线里哪个变量没渲染,然后改正镜像地址。',
          'kubectl edit {workloadKind}/{workload} -n {namespace}',
        ],
      ],
    }),
    registry_auth: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.privateRegistry, DOCS.credentialProvider, DOCS.images],
      title: ['The registry refuses the credentials, or there are none', '镜像仓库鉴权失败'],
      explanation: [
        'The registry answers 401 or 403: the pull was anonymous, the password expired, or the account has no right to this repository. Many registries (Docker Hub, Harbor, Quay, ACR) give the same answer for a repository that does not exist. Detail missing_pull_secret: no imagePullSecrets, or one that does not exist in the namespace of the pod; Secrets do not cross namespaces. Detail credential_plugin: the node gets its token from a credential provider of the cloud, which is missing, misconfigured, or lacks the IAM right.',
        '仓库返回 401/403:匿名拉取、密码过期,或账号没有该仓库的权限。注意 Docker Hub、Harbor、Quay、ACR 等对“不存在”和“无权限”返回同样的错误。detail 为 missing_pull_secret:没配 imagePullSecrets,或引用的 Secret 在 Pod 所在命名空间里不存在(Secret 不能跨命名空间)。detail 为 credential_plugin:节点靠云厂商的凭证插件(免密插件)取 token,插件没装、配置不对或缺少 RAM/IAM 权限。',
      ],
      steps: [
        [
          'Which pull secrets does the pod have? They come from the pod or from its ServiceAccount.',
          '看 Pod 最终用了哪些 imagePullSecrets(可能来自 ServiceAccount)。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.imagePullSecrets}'",
        ],
        [
          'Do they exist, with type kubernetes.io/dockerconfigjson?',
          '看这些 Secret 是否存在、类型是否为 kubernetes.io/dockerconfigjson。',
          'kubectl get secrets -n {namespace}',
        ],
        [
          'Try the same account from your machine. If it fails there too, the account or the name is wrong, not the cluster.',
          '用同一账号在本机试;本机也不行就是账号或镜像名的问题,与集群无关。',
          'skopeo inspect --creds=USER docker://{image}',
        ],
        [
          'Missing secret: create it in this namespace from a login file.',
          '缺 Secret:用登录后的 config.json 在本命名空间创建。',
          'kubectl create secret generic PULL_SECRET -n {namespace} --type=kubernetes.io/dockerconfigjson --from-file=.dockerconfigjson=config.json',
        ],
        [
          'Attach it to the ServiceAccount, so that every new pod has it, then let the workload make new pods.',
          '绑到 ServiceAccount 上,之后新建的 Pod 都会带上;再让负载重建 Pod。',
          'kubectl patch serviceaccount default -n {namespace} -p \'{"imagePullSecrets":[{"name":"PULL_SECRET"}]}\'',
        ],
        [
          'Credential plugin: read what the kubelet says of it on the node, then check the IAM role of the node or plugin.',
          '凭证插件:看节点上 kubelet 对插件的报错,再查节点/插件的 RAM(IAM)角色权限。',
          onNode("journalctl -u kubelet --since=-1h --no-pager --grep='credential|pull secret'"),
        ],
      ],
      avoid: [
        'Do not make the repository public or copy a personal login into the cluster. And do not count on pods that still run elsewhere: they have the image from before, or another secret.',
        '不要图省事把仓库改成公开,也不要把个人账号塞进集群。别的 Pod 能跑不代表凭证没问题,可能是节点上早就有镜像。',
      ],
    }),
    registry_network: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images, DOCS.debugNode, DOCS.runtimes],
      title: ['The node cannot reach the registry', '节点到镜像仓库网络不通'],
      explanation: [
        'No connection to the registry comes about. It is the runtime of the node that pulls, with the DNS, routes and proxy of the node; whether pods reach the registry says nothing. Details: dns, the name does not resolve on the node; refused, nothing listens there or a firewall answers; private_endpoint_acl and public_endpoint_acl, packets to the private or public endpoint are dropped, usually by an access list, a security group or a missing NAT; overseas, the registry is beyond a border that slows or blocks it (gcr.io, docker.io, quay.io from mainland China).',
        '节点连不上仓库。拉镜像的是节点上的容器运行时,走的是节点的 DNS、路由和代理,Pod 里能通不说明问题。detail:dns,节点解析不了域名;refused,端口没监听或被防火墙拒绝;private_endpoint_acl / public_endpoint_acl,到内网/公网入口的包被丢,通常是仓库的白名单(ACL)、安全组,或节点没有公网出口(NAT);overseas,海外仓库(gcr.io、docker.io、quay.io 等)从国内访问慢或不通。',
      ],
      steps: [
        ['Resolve the name on the node (dns).', 'dns:在节点上解析域名。', onNode('getent hosts {registry}')],
        [
          'Call the registry from the node. 200 or 401 means that the way is open; a hang means dropped packets, "refused" a closed port.',
          '从节点访问仓库:返回 200/401 说明通;一直挂住是丢包,refused 是端口没开。',
          onNode('curl -sv -m 10 -o /dev/null https://{registry}/v2/'),
        ],
        [
          'See whether the runtime has a proxy or mirror that others lack.',
          '看运行时有没有配代理或镜像加速。',
          onNode('systemctl show containerd -p Environment'),
        ],
        [
          'See whether one node or all of them fail: one points to that node, all to the registry or the way out.',
          '看是个别节点还是全部:个别查节点,全部查仓库或出口。',
          'kubectl get events -A --field-selector reason=Failed --sort-by=.lastTimestamp',
        ],
        [
          'Access list: allow the addresses the nodes come from, seen by the registry: the VPC for a private endpoint, the NAT address for a public one. Overseas: use a mirror, or copy the image to a registry nearby.',
          'ACL:把节点来源地址加进仓库白名单,内网入口加 VPC,公网入口加 NAT 出口 IP;海外镜像用加速服务,或同步到就近的仓库再拉。',
          'skopeo copy docker://{image} docker://REGISTRY/REPOSITORY:TAG',
        ],
      ],
      avoid: [
        'Do not test from a pod or your laptop and conclude that the registry is reachable: neither uses the path of the node.',
        '不要在 Pod 里或自己电脑上 curl 通了就下结论,走的不是节点那条路。',
      ],
    }),
    registry_unavailable: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images],
      title: ['The registry answers with an error of its own', '镜像仓库服务异常(5xx)'],
      explanation: [
        'The registry, or the load balancer before it, answers 500 to 504, or the runtime reports RegistryUnavailable. Name, network and credentials are fine as far as can be told. Kubelets retry with back-off up to 5 minutes, so pods start by themselves some minutes after the registry is back.',
        '仓库或其前面的负载均衡返回 5xx,或运行时报 RegistryUnavailable;镜像名、网络、凭证目前看都没问题。kubelet 会退避重试(最长 5 分钟),仓库恢复后几分钟内 Pod 会自己起来。',
      ],
      steps: [
        ['Ask the registry yourself.', '自己请求一下仓库。', 'curl -sv -m 10 -o /dev/null https://{registry}/v2/'],
        [
          'See how far it reaches: which pods wait for images now?',
          '看影响面:现在有哪些 Pod 在等镜像。',
          "kubectl get pods -A -o wide | grep -E 'ImagePull|NAMESPACE'",
        ],
        [
          'For a registry of your own, look at its pods, its storage and its database. For a hosted one, look at its status page.',
          '自建仓库看它的 Pod、存储、数据库;云上仓库看服务状态页。',
          "kubectl get pods -A | grep -i -E 'registry|harbor|NAMESPACE'",
        ],
        [
          'After it is back, delete a waiting pod if you cannot wait for the back-off.',
          '恢复后等不及退避,就删掉等待中的 Pod 让它立刻重试。',
          'kubectl delete pod {pod} -n {namespace}',
        ],
      ],
      avoid: [
        'Do not restart healthy workloads while the registry is down: with imagePullPolicy Always they cannot come back.',
        '仓库故障期间不要重启正常的负载,imagePullPolicy 为 Always 的重启后就拉不回来了。',
      ],
    }),
    registry_tls: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.runtimes, DOCS.images],
      title: ['TLS to the registry fails', '与镜像仓库的 TLS 握手失败'],
      explanation: [
        'The runtime of the node does not trust the certificate of the registry (unknown authority, wrong name, expired, not yet valid because the clock of the node is off), or one side speaks plain HTTP. Trust is the configuration of each node: /etc/containerd/certs.d, /etc/containers/registries.conf.d or /etc/docker/certs.d. A new node without it fails while the old ones work.',
        '节点上的运行时不信任仓库证书(CA 未知、域名不符、过期,或节点时间不对导致“尚未生效”),或一边是 HTTP 一边是 HTTPS。信任配置在每个节点上:/etc/containerd/certs.d、/etc/containers/registries.conf.d 或 /etc/docker/certs.d,新节点漏配就会出现“老节点正常、新节点失败”。',
      ],
      steps: [
        ['Look at the certificate: issuer, names, dates.', '看证书的签发者、域名和有效期。', 'curl -vkI -m 10 https://{registry}/v2/'],
        ['Compare the clock of the node.', '核对节点时间。', onNode('timedatectl')],
        ['See what the node trusts for this registry.', '看节点上针对该仓库的信任配置。', onNode('ls -R /etc/containerd/certs.d')],
        pullOnNode,
        [
          'Renew the certificate, or bring the CA to all nodes through the node pool (hosts.toml with ca = …), and for plain HTTP say so there.',
          '续签证书;或通过节点池配置把 CA 下发到所有节点(hosts.toml 里写 ca),确实是 HTTP 的也在那里声明。',
          onNode('systemctl restart containerd'),
        ],
      ],
      avoid: [
        'Do not set skip_verify to be done with it: anyone on the path can then give your nodes an image.',
        '不要用 skip_verify 糊弄过去,链路上任何人都能给节点塞镜像。',
      ],
    }),
    pull_timeout: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images, DOCS.kubeletConfig],
      title: ['The pull is too slow or breaks off', '镜像拉取超时或中断'],
      explanation: [
        'The connection stands, but layers arrive too slowly or not at all: the runtime cancels a pull that makes no progress (containerd image_pull_progress_timeout, 5 minutes; cri-dockerd 1 minute) or the connection is reset in between. Large images, little bandwidth and a busy registry are the causes. The kubelet itself sets no limit on pulls, so its runtimeRequestTimeout does not help.',
        '连接是通的,但层下载太慢或没有进展:运行时会取消长时间无进展的拉取(containerd image_pull_progress_timeout 默认 5 分钟,cri-dockerd 的 --image-pull-progress-deadline 默认 1 分钟),或者中途连接被重置。多半是镜像太大、带宽不足、仓库繁忙。kubelet 本身不限制拉取时间,调 runtimeRequestTimeout 没有用。',
      ],
      steps: [
        podEvents,
        ['How large is the image? Sum up the layers.', '看镜像多大(各层大小相加)。', 'skopeo inspect --raw docker://{image}'],
        pullOnNode,
        [
          'See what the runtime says of cancelled pulls.',
          '看运行时日志里取消拉取的记录。',
          onNode("journalctl -u containerd --since=-1h --no-pager --grep='pull|progress'"),
        ],
        [
          'Make the image smaller, put a mirror or registry nearby, give the node more bandwidth, or raise image_pull_progress_timeout in the configuration of the runtime.',
          '瘦身镜像、就近放镜像仓库或加速、给节点提带宽,或在运行时配置里调大 image_pull_progress_timeout。',
          onNode('crictl images'),
        ],
      ],
      avoid: [
        'Do not delete the pod again and again: each new pod begins at the first layer that was not complete, perhaps on another node.',
        '不要反复删 Pod:没拉完的层要重来,还可能换到另一台节点从头拉。',
      ],
    }),
    pull_throttled: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.kubeletConfig, DOCS.privateRegistry, DOCS.images],
      title: ['Pulls are rate-limited', '镜像拉取被限流'],
      explanation: [
        'Somebody limits how often images may be pulled. Detail registry_limit: the registry answers 429 Too Many Requests; Docker Hub counts pulls an hour for each account, and for each address where the pull is anonymous, so that all nodes behind one NAT share the limit. Detail kubelet_qps: the kubelet itself allows registryPullQPS (5 a second, burst 10) and refuses the rest with "pull QPS exceeded", as after a node started with many pods.',
        '拉取次数被限制。detail 为 registry_limit:仓库返回 429,Docker Hub 按账号(匿名则按出口 IP)计数,同一个 NAT 后面的所有节点共用额度。detail 为 kubelet_qps:kubelet 自己的 registryPullQPS(默认 5/s,burst 10)不够用,报 pull QPS exceeded,常见于新节点一次性涌入大量 Pod。',
      ],
      steps: [
        podEvents,
        [
          'See how many pods wait for images at the same time.',
          '看同时有多少 Pod 在等镜像。',
          "kubectl get pods -A -o wide | grep -E 'ImagePull|ContainerCreating|NAMESPACE'",
        ],
        [
          'Registry limit: pull with an account, so that its limit counts instead of the shared address.',
          '仓库限流:用账号拉取,走账号额度而不是共享 IP 额度。',
          'kubectl create secret generic PULL_SECRET -n {namespace} --type=kubernetes.io/dockerconfigjson --from-file=.dockerconfigjson=config.json',
        ],
        [
          'Better: a pull-through cache or a copy in your own registry.',
          '更好的办法:搭拉取缓存,或把镜像同步到自己的仓库。',
          'skopeo copy docker://{image} docker://REGISTRY/REPOSITORY:TAG',
        ],
        [
          'Kubelet limit: see and raise registryPullQPS and registryBurst in the kubelet configuration of the node pool.',
          'kubelet 限流:查看并在节点池的 kubelet 配置里调大 registryPullQPS、registryBurst。',
          'kubectl get --raw /api/v1/nodes/{node}/proxy/configz | grep -o -E \'"registry[A-Za-z]+":[0-9]+\'',
        ],
      ],
      avoid: [
        'Do not use imagePullPolicy Always with fixed tags: every restart asks the registry again and uses up the limit.',
        '固定 tag 不要配 imagePullPolicy: Always,每次重启都会请求仓库、消耗额度。',
      ],
    }),
    pull_queued: buildCause({
      severity: 'info',
      subject: 'workload',
      links: [DOCS.images, DOCS.kubeletConfig],
      title: ['The pull waits behind others on the node', '镜像拉取在节点上排队'],
      explanation: [
        'By default a kubelet pulls one image at a time (serializeImagePulls), so a small image waits behind a large one, and nothing says so: no error, only the Event Pulling. It is typical of a new node that gets many pods at once. The Event Pulled later tells both times: "in 3s (4m10s including waiting)".',
        'kubelet 默认串行拉镜像(serializeImagePulls),小镜像会排在大镜像后面,期间没有任何报错,只有一条 Pulling。典型场景是弹性扩出新节点后大量 Pod 一起涌上去。事后看 Pulled 事件就清楚:in 3s (4m10s including waiting)。',
      ],
      steps: [
        podEvents,
        [
          'Which pods of the node wait as well?',
          '看同节点还有哪些 Pod 在等。',
          'kubectl get pods -A -o wide --field-selector spec.nodeName={node},status.phase=Pending',
        ],
        ['Which images are there already, and how large is the one in front?', '看节点上已有哪些镜像、占着队头的镜像有多大。', onNode('crictl images')],
        [
          'Let it go on, or delete the less urgent pods so that the urgent image is next.',
          '等它排完;急的话先删掉不重要的 Pod,让关键镜像先拉。',
          'kubectl delete pod POD -n NAMESPACE',
        ],
        [
          'For good: maxParallelImagePulls of 2 or more in the kubelet configuration, images preloaded on the nodes, smaller images.',
          '长期:kubelet 配置 maxParallelImagePulls ≥ 2,节点预热镜像,镜像瘦身。',
          'kubectl get --raw /api/v1/nodes/{node}/proxy/configz | grep -o -E \'"(serializeImagePulls|maxParallelImagePulls)":[a-z0-9]+\'',
        ],
      ],
    }),
    image_never_pull: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images],
      title: ['Policy Never, and the image is not on the node', 'imagePullPolicy 为 Never,节点上没有镜像'],
      explanation: [
        'imagePullPolicy: Never forbids the kubelet to pull; it can only use what is on the node already. The image was never loaded there, was removed by image garbage collection, or the pod moved to another node. From 1.35 on it can also mean that the image is there, but was pulled with credentials that this pod does not have.',
        'imagePullPolicy: Never 表示不拉取,只用节点本地已有的镜像。镜像没有预置到这台节点、被镜像 GC 清掉了,或者 Pod 漂到了别的节点。1.35 起还有一种情况:镜像在,但当初是用别的凭证拉的,本 Pod 没有对应凭证。',
      ],
      steps: [
        containerImage,
        ['See what the node has.', '看节点上有哪些镜像。', onNode('crictl images')],
        [
          'Load the image into the runtime of the node (image.tar lies on the node).',
          '把镜像导入节点运行时(image.tar 先放到节点上)。',
          onNode('ctr -n k8s.io images import /root/image.tar'),
        ],
        edit('Or set imagePullPolicy: IfNotPresent and put the image in a registry.', '或改为 IfNotPresent,并把镜像推到仓库。'),
      ],
      avoid: [
        'Never works only where every node the pod may use is prepared; pin such pods with a nodeSelector.',
        'Never 只适合所有可调度节点都预置了镜像的场景,否则要用 nodeSelector 限定节点。',
      ],
    }),
    no_space: buildCause({
      severity: 'critical',
      subject: 'workload',
      links: [DOCS.nodePressure, DOCS.debugNode],
      title: ['No space left on the node for the image', '节点磁盘空间不足,镜像无法落盘'],
      explanation: [
        'The runtime ran out of space or inodes while it stored or unpacked layers. The kubelet removes unused images from 85 % on (imageGCHighThresholdPercent) and evicts pods below 15 % free on the image file system; a large image can fill the disk faster than that. The node is close to DiskPressure.',
        '运行时在下载或解压镜像层时磁盘(或 inode)用尽。kubelet 在使用率 85% 时开始清理镜像(imageGCHighThresholdPercent),imagefs 剩余低于 15% 开始驱逐;镜像太大时会抢在这之前写满。节点离 DiskPressure 不远了。',
      ],
      steps: [
        describeNode,
        ['See which file system is full.', '看哪个分区满了。', onNode('df -h')],
        ['Or out of inodes.', '看 inode 是否用尽。', onNode('df -i')],
        ['See what fills it.', '看空间被什么占了。', onNode('du -xhd1 /var/lib')],
        ['Remove images that no container uses.', '清理没有容器在用的镜像。', onNode('crictl rmi --prune')],
        ['Keep new pods off the node until it has room, then enlarge the disk.', '腾出空间前先 cordon,之后扩磁盘。', 'kubectl cordon {node}'],
      ],
      avoid: [
        'Do not delete files under /var/lib/containerd or /var/lib/docker by hand: the runtime loses track and the images are corrupt.',
        '不要手工删 /var/lib/containerd 或 /var/lib/docker 下的文件,会把运行时元数据和镜像搞坏。',
      ],
    }),
    platform_mismatch: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.assignPods, DOCS.images],
      title: ["No image for the node's OS or architecture", '镜像不支持节点的架构或操作系统'],
      explanation: [
        'The image index has no entry for the platform of the node, such as arm64, or the Windows build. A mixed cluster shows it only on some nodes. A single-platform image that lies about its platform pulls well and fails later with "exec format error".',
        '镜像的 manifest list 里没有节点对应的平台(如 arm64,或 Windows 版本)。混合架构集群里只有部分节点会报。如果是单架构镜像,拉取能成功,启动时才报 exec format error。',
      ],
      steps: [
        ['Which platform has the node?', '看节点的架构和系统。', 'kubectl get nodes -L kubernetes.io/arch,kubernetes.io/os'],
        ['Which platforms has the image?', '看镜像支持哪些平台。', 'skopeo inspect --raw docker://{image}'],
        edit(
          'Pin the workload to nodes of the right platform with nodeSelector kubernetes.io/arch.',
          '先用 nodeSelector kubernetes.io/arch 把负载限定到匹配的节点。',
        ),
        ['Build for all platforms.', '构建多架构镜像。', 'docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/REPOSITORY:TAG --push .'],
      ],
    }),
    image_corrupt: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images, DOCS.crictl],
      title: ['The image is damaged, or its signature is refused', '镜像损坏或签名校验不通过'],
      explanation: [
        'What arrived is not what was promised: a digest or size differs, a layer cannot be unpacked, or the format is too old for the runtime (schema 1 since containerd 2.0). A proxy or cache that cuts responses is a frequent cause. Detail signature: the policy of the node or cluster demands a signature that is missing or does not verify.',
        '拿到的内容不对:digest 或大小不符、层无法解压,或镜像格式太老(containerd 2.0 起不支持 schema 1)。中间的代理/缓存截断响应是常见原因。detail 为 signature:节点或集群策略要求签名,而镜像没签或验签失败。',
      ],
      steps: [
        podEvents,
        ['Fetch the whole image elsewhere: does it unpack?', '在别的机器上完整拉一次,看能否解压。', 'skopeo copy docker://{image} dir:/tmp/image-check'],
        ['Remove the incomplete copy on the node and pull again.', '删掉节点上的残留再拉一次。', onNode('crictl rmi {image}')],
        pullOnNode,
        ['Signature: read the policy that the node enforces.', '签名:看节点强制的策略。', onNode('cat /etc/containers/policy.json')],
        [
          'Push the image again from a build, signed where the policy wants it, under a new tag.',
          '重新构建推送(需要的话签名),用新 tag。',
          'kubectl edit {workloadKind}/{workload} -n {namespace}',
        ],
      ],
      avoid: ['Do not switch off signature checks to get a pod running: find out first who pushed the image.', '不要为了先跑起来关掉验签,先搞清镜像是谁推的。'],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.images, DOCS.debugPods],
      title: ['The image cannot be pulled', '镜像拉取失败(其他原因)'],
      explanation: [
        'The kubelet or the runtime gives an error that fits none of the known families, or only says that it backs off: up to 1.31 the waiting message of ImagePullBackOff does not repeat the cause, and the Event that did may have expired. Pulling by hand shows it.',
        '报错不属于已知类别,或者只剩“退避中”:1.31 及以前 ImagePullBackOff 的信息里不带原因,而带原因的事件可能已经过期。到节点上手动拉一次就能看到。',
      ],
      steps: [podEvents, containerImage, pullOnNode, runtimeLog],
    }),
  },
};
