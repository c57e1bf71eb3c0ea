/** Causes of readiness_probe_failure: the container runs, but takes no traffic. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import {
  call,
  fixCpu,
  fixExec,
  fixProbe,
  fixRefused,
  fixStatus,
  fixTimeout,
  listeners,
  moveAway,
  readProbes,
  readResources,
  runExec,
  siblings,
  throttling,
  top,
  topNodes,
} from './probe-steps.ts';
import { capture, cordon, currentLog, describeNode, ephemeralShell, jvmThreads, podEvents, topOnNode, whoIsOnNode } from './steps.ts';

const base = { severity: 'warning', subject: 'workload', links: [DOCS.probes, DOCS.debugRunningPods] } as const;

export const READINESS_PROBE_FAILURE: ScenarioEntry = {
  en: { title: 'Readiness probe failure' },
  zh: { title: '就绪探针失败' },
  causes: {
    probe_connection_refused: buildCause({
      ...base,
      title: ['Nothing listens where the readiness probe connects', '就绪探针连接被拒绝'],
      explanation: [
        'The container runs, but the connection of the probe is refused or cut, so the pod is taken out of its Services and gets no traffic. never_passed: the application has not come up, listens on another port or only on 127.0.0.1, or the probe names the wrong port. passed_before: it stopped listening while its process lives, because it shuts down, has crashed inside a wrapper, or its worker is gone.',
        '容器在跑,但探针连不上(拒绝或被重置),Pod 被从 Service 后端摘掉,没有流量。never_passed:应用没起来、监听了别的端口或只监听 127.0.0.1,或探针端口写错。passed_before:进程还在但不再监听,比如正在退出、被外层脚本包着的子进程已经崩了。',
      ],
      steps: [podEvents, currentLog, listeners, readProbes, siblings, fixRefused],
      avoid: [
        'Do not remove the readiness probe to get the rollout through: traffic then goes to pods that cannot serve it.',
        '不要为了发布通过把就绪探针删掉,流量会打到还不能服务的 Pod 上。',
      ],
    }),
    probe_timeout: buildCause({
      ...base,
      title: ['The readiness probe gets no answer in time', '就绪探针超时'],
      explanation: [
        'The probe connects, or tries to, and hears nothing within timeoutSeconds (1 by default). The application is busy or blocked: GC pauses, exhausted threads or connections, a health check that waits for a slow dependency, or packets that are dropped by a network policy. never_passed points to the start or to the network, passed_before to load.',
        '探针在 timeoutSeconds(默认 1 秒)内没等到响应。应用忙或被阻塞:GC 停顿、线程池/连接池耗尽、健康检查里同步等下游,或者包被 NetworkPolicy 丢弃。never_passed 多看启动过程和网络,passed_before 多看负载。',
      ],
      steps: [podEvents, top, throttling, jvmThreads, capture, fixTimeout],
      avoid: [
        'Do not check dependencies in the readiness probe of every service: one slow database then takes all of them out at once.',
        '就绪探针里不要检查下游依赖,否则一个慢库会让所有服务同时被摘流。',
      ],
    }),
    probe_http_status: buildCause({
      ...base,
      title: ['The readiness endpoint answers with an error', '就绪探针返回错误状态码'],
      explanation: [
        'The application answers the probe, but not with a status from 200 to 399 (or not SERVING for gRPC), so it says itself that it is not ready. never_passed: still warming up, a dependency or its configuration is missing, or the path is wrong. passed_before: it lost something it needs, or reports itself overloaded.',
        '应用有响应,但状态码不在 200–399(gRPC 则不是 SERVING),也就是它自己说还没就绪。never_passed:还在预热、依赖或配置缺失,或路径写错。passed_before:丢了某个依赖,或主动报告过载。',
      ],
      steps: [podEvents, call, currentLog, readProbes, siblings, fixStatus],
    }),
    probe_exec: buildCause({
      ...base,
      title: ['The command of the readiness probe fails', '就绪探针命令执行失败'],
      explanation: [
        'The kubelet runs the command inside the container and takes any exit code but 0 as a failure; its output is in the Event. The script found a fault, or could not do its work: a missing program, an expired password, too little CPU or memory to start another program. never_passed speaks for the script or the image, passed_before for the application or its resources.',
        'kubelet 在容器里执行探针命令,退出码非 0 即失败,输出在事件里。可能是脚本确实查出了问题,也可能脚本自己跑不了:缺命令、密码过期、CPU/内存不够再起一个进程。never_passed 多半是脚本或镜像的问题,passed_before 多半是应用或资源的问题。',
      ],
      steps: [podEvents, readProbes, runExec, currentLog, fixExec],
    }),
    probe_misconfigured: buildCause({
      ...base,
      title: ['The readiness probe itself is wrong', '就绪探针配置错误'],
      explanation: [
        'The probe can never pass, whatever the application does: its port is declared by no container, the path has never existed, it speaks HTTPS to a plain port, or its command is not in the image. It has not passed once since the pod was created, while the application may be fine.',
        '这个探针怎么都不可能通过:端口没有任何容器声明、路径从来不存在、用 HTTPS 探 HTTP 端口,或命令不在镜像里。Pod 创建以来一次都没通过,而应用本身可能好好的。',
      ],
      steps: [podEvents, readProbes, listeners, call, fixProbe],
    }),
    node_overloaded: buildCause({
      ...base,
      links: [DOCS.probes, DOCS.nodePressure, DOCS.debugNode],
      title: ['Probes time out because the node is overloaded', '节点负载过高导致就绪探针超时'],
      explanation: [
        'The probe times out, and so do the probes of unrelated workloads on the same node, or the node reports pressure. That is an inference, not a proof: the node as a whole is short of CPU, memory, disk I/O or process ids, and the application is a victim.',
        '探针超时的同时,同节点上其他不相干的负载也在超时,或者节点处于资源压力。据此推断(不是定论)节点整体 CPU、内存、磁盘 I/O 或 PID 不足,应用是受害者。',
      ],
      steps: [describeNode, whoIsOnNode, topNodes, topOnNode, cordon, moveAway],
    }),
    cpu_starved: buildCause({
      ...base,
      links: [DOCS.probes, DOCS.cpu, DOCS.resources],
      title: ['Probes time out because the CPU limit is tiny', 'CPU limit 过低导致就绪探针超时'],
      explanation: [
        'The probe times out and the CPU limit of the container is so low that the kernel stops it for most of every 100 ms period. An inference from the limit: watch data does not show throttling itself, cpu.stat does.',
        '探针超时,且容器的 CPU limit 很低,每 100 ms 周期里大部分时间都被内核限流。这是根据 limit 的推断,API 里看不到限流数据,需要看 cpu.stat 确认。',
      ],
      steps: [podEvents, readResources, top, throttling, fixCpu],
    }),
    readiness_gate: buildCause({
      ...base,
      links: [DOCS.podLifecycle],
      title: ['A readiness gate is not met', 'readinessGates 条件未满足'],
      explanation: [
        'All containers are ready, but spec.readinessGates names a condition that some controller outside must set to True, usually the load balancer controller of a cloud when it has registered the pod. That controller does not run, cannot reach the pod, or its own health check fails.',
        '容器都 Ready 了,但 spec.readinessGates 里的 condition 要由外部控制器置为 True,通常是云负载均衡控制器在后端注册健康之后设置。控制器没跑、没权限,或 LB 侧健康检查没过。',
      ],
      steps: [
        [
          'Which gate is not True, and what does its message say?',
          '看哪个 gate 不为 True,以及它的 message。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.conditions}'",
        ],
        [
          'Which gates does the pod have? They may be injected by a webhook.',
          '看 Pod 有哪些 readinessGates(可能是 Webhook 注入的)。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.readinessGates}'",
        ],
        [
          'Find the controller that sets it and read its log.',
          '找到负责该 condition 的控制器,看日志。',
          "kubectl get pods -A | grep -i -E 'load-balancer|ingress|controller|NAMESPACE'",
        ],
        [
          'Check the Ingress or Service that the gate belongs to, and the health of the target in the console of the load balancer.',
          '看对应的 Ingress/Service,并到负载均衡控制台看后端健康状态。',
          'kubectl describe ingress,service -n {namespace}',
        ],
      ],
      avoid: [
        'Do not set the condition by hand: the load balancer still does not send traffic to the pod.',
        '不要手工 patch 这个 condition,LB 那边照样没流量。',
      ],
    }),
    other: buildCause({
      ...base,
      title: ['The container runs, but does not become ready', '就绪探针失败(其他原因)'],
      explanation: [
        'The readiness probe fails without an Event that says how (they are rate-limited and expire), or with output that podtrail cannot read. The pod gets no traffic from its Services meanwhile.',
        '就绪探针失败,但没有留下说明原因的事件(事件会被限流、会过期),或输出无法识别。期间 Pod 不接 Service 流量。',
      ],
      steps: [podEvents, readProbes, currentLog, ephemeralShell],
    }),
  },
};
