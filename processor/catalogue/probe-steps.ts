/** What to check of a failing probe and what to change, shared by readiness_probe_failure and liveness_probe_failure. */
import type { StepPair } from './build-cause.ts';
import { edit, TOOLS_IMAGE } from './steps.ts';

export const readProbes: StepPair = [
  'Read the probes: port, path, timeoutSeconds, periodSeconds, failureThreshold.',
  '看探针配置:端口、路径、timeoutSeconds、periodSeconds、failureThreshold。',
  'kubectl get {workloadKind} {workload} -n {namespace} -o yaml',
];
export const listeners: StepPair = [
  'See on which ports and addresses the application listens. 127.0.0.1 is out of reach for the probe, which comes to the IP of the pod.',
  '看应用实际监听的端口和地址;探针访问的是 Pod IP,只监听 127.0.0.1 是探不到的。',
  `kubectl debug {pod} -n {namespace} -it --image=${TOOLS_IMAGE} --target={container} -- netstat -ltn`,
];
export const siblings: StepPair = [
  'Do other replicas fail too? One alone points to its node or data, all of them to the release or a dependency.',
  '看其他副本是否也失败:单个多半是节点或数据问题,全部失败则是版本或依赖问题。',
  'kubectl get pods -n {namespace} -o wide',
];
export const call: StepPair = [
  'Ask the endpoint yourself from inside the pod; fill in PORT and PATH.',
  '在 Pod 网络里自己请求一次,PORT、PATH 自行替换。',
  `kubectl debug {pod} -n {namespace} -it --image=${TOOLS_IMAGE} -- wget -S -T 5 -O - http://127.0.0.1:PORT/PATH`,
];
export const runExec: StepPair = [
  'Run the command of the probe by hand, and look at its time and exit code.',
  '手动执行探针命令,看耗时和退出码。',
  "kubectl exec {pod} -n {namespace} -c {container} -- sh -c 'time COMMAND; echo exit=$?'",
];
export const top: StepPair = [
  'Compare CPU use with the limit (needs metrics-server). Close to it means throttling.',
  '对比 CPU 用量和 limit(需要 metrics-server),贴着 limit 就是在被限流。',
  'kubectl top pod {pod} -n {namespace} --containers',
];
export const throttling: StepPair = [
  'Read how often the container was throttled: nr_throttled over nr_periods (cgroup v2).',
  '看 CPU 限流情况:nr_throttled / nr_periods(cgroup v2)。',
  'kubectl exec {pod} -n {namespace} -c {container} -- cat /sys/fs/cgroup/cpu.stat',
];

export const fixRefused = edit(
  'Wrong port: correct the probe. Listens on localhost: bind 0.0.0.0. Starts slowly: add a startupProbe with failureThreshold × periodSeconds above the longest start.',
  '端口写错就改探针;只监听 localhost 就改成 0.0.0.0;启动慢就加 startupProbe,failureThreshold × periodSeconds 要大于最长启动时间。',
);
export const fixTimeout = edit(
  'Remove what blocks (long GC, a full pool, a slow dependency in the health check); raise timeoutSeconds above its default of 1, and the CPU limit where it throttles.',
  '解决阻塞点(长 GC、线程池打满、健康检查里依赖下游);timeoutSeconds 默认只有 1 秒,适当调大;CPU 被限流就调大 limit。',
);
export const fixStatus = edit(
  'Correct what the application reports as unhealthy. 404: correct the path; 401 and 403: leave the health path open; a redirect to another host counts as success.',
  '按应用返回的不健康原因修复。404 改路径;401/403 放开健康检查路径的鉴权;跳转到其他域名的 3xx 会被当成成功。',
);
export const fixExec = edit(
  'Correct the script or what it checks. Where an HTTP or gRPC check would do, use it: exec starts a process each time and fails when CPU or PIDs are short.',
  '修正脚本或它检查的对象。能用 HTTP/gRPC 就别用 exec:每次都要拉起进程,CPU 或 PID 紧张时自己就会失败。',
);
export const fixProbe = edit(
  'Correct the probe: port and scheme as the application speaks them, a path that exists, a command that is in the image, times that leave room for the start.',
  '修正探针:端口和协议(HTTP/HTTPS)与应用一致、路径存在、命令在镜像里有、时间给启动留够余量。',
);
export const fixCpu = edit(
  'Raise or remove the CPU limit (keep the request), and raise timeoutSeconds. A JVM also sizes its threads and GC by the limit.',
  '调大或去掉 CPU limit(保留 request),并调大 timeoutSeconds。JVM 的 GC 线程数等也是按 limit 算的,limit 太小会雪上加霜。',
);
export const readResources: StepPair = [
  'Read requests and limits.',
  '看 requests 和 limits。',
  "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].resources}'",
];
export const topNodes: StepPair = ['See the load of the nodes (needs metrics-server).', '看各节点负载(需要 metrics-server)。', 'kubectl top nodes'];
export const moveAway: StepPair = [
  'Move the noisy neighbour or this pod: a deleted pod is placed elsewhere, since the node is cordoned. Then set requests that match use.',
  '把吃资源的 Pod 或本 Pod 挪走(已 cordon,删掉后会落到别的节点),然后让 requests 贴近实际用量。',
  'kubectl delete pod {pod} -n {namespace}',
];
