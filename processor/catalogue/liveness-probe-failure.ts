/** Causes of liveness_probe_failure: the kubelet kills the container because its liveness or startup probe fails. */
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
import { cordon, describeNode, edit, podEvents, previousLog, probelessCopy, topOnNode, whoIsOnNode } from './steps.ts';

const base = { severity: 'warning', subject: 'workload', links: [DOCS.probes, DOCS.podLifecycle, DOCS.debugRunningPods] } as const;

export const LIVENESS_PROBE_FAILURE: ScenarioEntry = {
  en: { title: 'Liveness or startup probe failure' },
  zh: { title: '存活探针失败' },
  causes: {
    probe_connection_refused: buildCause({
      ...base,
      title: ['Killed: nothing listens where the liveness probe connects', '存活探针连接被拒绝,容器被重启'],
      explanation: [
        'The liveness probe was refused failureThreshold times in a row, so the kubelet killed the container and starts it again. Either the application needs longer to listen than the probe allows (initialDelaySeconds plus failureThreshold × periodSeconds), so it is killed during every start, or it stopped listening later. A wrong port kills a healthy application for ever.',
        '存活探针连续 failureThreshold 次连接被拒,kubelet 杀掉容器重启。要么应用启动到监听的时间超过探针给的余量(initialDelaySeconds + failureThreshold × periodSeconds),每次都在启动途中被杀;要么运行中停止了监听。端口写错的话,健康的应用也会被无限重启。',
      ],
      steps: [podEvents, previousLog, readProbes, listeners, probelessCopy, fixRefused],
      avoid: [
        'Do not stretch initialDelaySeconds for slow starts: a startupProbe covers the start without making later failures slower to notice.',
        '启动慢不要一味加大 initialDelaySeconds,用 startupProbe,既覆盖启动又不影响之后发现故障的速度。',
      ],
    }),
    probe_timeout: buildCause({
      ...base,
      title: ['Killed: the liveness probe gets no answer in time', '存活探针超时,容器被重启'],
      explanation: [
        'The application did not answer within timeoutSeconds (1 by default) failureThreshold times in a row, and was killed. Under load this feeds itself: a blocked pod is killed, its traffic falls on the others, new pods of a scale-out (flag after_scale_out) are flooded before they are warm, and Running alternates with CrashLoopBackOff (flag oscillating).',
        '应用连续 failureThreshold 次没在 timeoutSeconds(默认 1 秒)内响应,被杀重启。高负载下会恶性循环:阻塞的 Pod 被杀,流量压到其余副本;HPA 新扩出来的 Pod(after_scale_out)还没预热就被打满,于是在 Running 和 CrashLoopBackOff 之间振荡(oscillating)。',
      ],
      steps: [
        podEvents,
        previousLog,
        probelessCopy,
        [
          'Dump the threads while it blocks, in a replica that still lives. With Arthas: thread -n 5, then trace the slow method.',
          '趁还有副本活着、正在阻塞时抓线程栈;用 Arthas 就先 thread -n 5,再 trace 慢方法。',
          'kubectl exec {pod} -n {namespace} -c {container} -- jcmd 1 Thread.print',
        ],
        top,
        edit(
          'Take the liveness probe out (or relax it) until the blocking is found; shed load in readiness instead; give new pods a warm-up and a startupProbe; serve health checks on a thread of their own.',
          '查清阻塞点之前先摘掉或放宽存活探针,用就绪探针来摘流;新 Pod 加预热、延迟注册和 startupProbe;健康检查用独立线程处理。',
        ),
      ],
      avoid: [
        'A liveness probe is for deadlocks that only a restart cures. Do not let it depend on load or on other services.',
        '存活探针只用来发现“不重启就好不了”的死锁,不要让它受负载或下游影响。',
      ],
    }),
    probe_http_status: buildCause({
      ...base,
      title: ['Killed: the liveness endpoint answers with an error', '存活探针返回错误状态码,容器被重启'],
      explanation: [
        'The application answered the liveness probe with a status outside 200 to 399 (or not SERVING) failureThreshold times in a row. It was alive enough to answer, so ask whether a restart helps: health endpoints that include databases or brokers turn an outage elsewhere into restarts here.',
        '应用连续 failureThreshold 次返回 200–399 以外的状态码(或 gRPC 非 SERVING),被杀重启。能返回说明进程活着,先想想重启有没有用:健康检查里带上数据库、消息队列,别处故障就会变成这里的重启风暴。',
      ],
      steps: [podEvents, previousLog, call, siblings, probelessCopy, fixStatus],
      avoid: [
        'Do not use the same endpoint for liveness and readiness if it checks dependencies (in Spring Boot use /actuator/health/liveness).',
        '会检查依赖的健康端点不要同时给存活和就绪用(Spring Boot 用 /actuator/health/liveness)。',
      ],
    }),
    probe_exec: buildCause({
      ...base,
      title: ['Killed: the command of the liveness probe fails', '存活探针命令失败,容器被重启'],
      explanation: [
        'The command of the liveness probe ended with an exit code other than 0 failureThreshold times in a row, so the container was killed. Its output is in the Event. It runs inside the limits of the container: short of CPU, memory or processes it fails although the application works.',
        '存活探针命令连续 failureThreshold 次退出码非 0,容器被杀,输出在事件里。命令在容器的资源限制内执行,CPU、内存、PID 紧张时应用没事它也会失败。',
      ],
      steps: [podEvents, previousLog, readProbes, runExec, probelessCopy, fixExec],
    }),
    probe_misconfigured: buildCause({
      ...base,
      title: ['Killed by a liveness probe that is itself wrong', '存活探针配置错误,容器被反复重启'],
      explanation: [
        'The liveness probe cannot pass, whatever the application does: no container declares its port, its path never existed, the scheme or the command is wrong. Every run was killed as soon as the probe could; the application may be healthy.',
        '存活探针本身不可能通过:端口没有容器声明、路径不存在、协议或命令写错。每次运行都在探针给的时间一到就被杀,应用本身可能是好的。',
      ],
      steps: [podEvents, readProbes, listeners, call, probelessCopy, fixProbe],
    }),
    node_overloaded: buildCause({
      ...base,
      links: [DOCS.probes, DOCS.nodePressure, DOCS.debugNode],
      title: ['Killed: probes time out because the node is overloaded', '节点负载过高,存活探针超时被重启'],
      explanation: [
        'The liveness probe timed out while the node was under pressure, or while the probes of unrelated workloads on it timed out too. An inference: the node is short of CPU, memory, disk I/O or process ids. Restarting containers makes it worse, since starts need the most.',
        '存活探针超时,同时节点有资源压力或同节点其他负载也在超时。据此推断节点 CPU、内存、磁盘 I/O 或 PID 不足。重启只会更糟,因为启动时最吃资源。',
      ],
      steps: [describeNode, whoIsOnNode, topNodes, topOnNode, cordon, moveAway],
    }),
    cpu_starved: buildCause({
      ...base,
      links: [DOCS.probes, DOCS.cpu, DOCS.resources],
      title: ['Killed: probes time out because the CPU limit is tiny', 'CPU limit 过低,存活探针超时被重启'],
      explanation: [
        'The liveness probe timed out and the CPU limit is so low that the kernel throttles the container most of the time; the start, which needs the most CPU, may never get through. An inference from the limit; cpu.stat proves it.',
        '存活探针超时,且 CPU limit 很低,容器大部分时间在被限流;启动阶段最吃 CPU,可能一直起不来。这是根据 limit 的推断,cpu.stat 可以证实。',
      ],
      steps: [podEvents, readResources, top, throttling, probelessCopy, fixCpu],
    }),
    startup_probe_failed: buildCause({
      ...base,
      title: ['Killed: the startup probe never passed', '启动探针未通过,容器被重启'],
      explanation: [
        'While a startup probe has not passed, the other probes do not run; when it has failed failureThreshold times, the container is killed and starts from the beginning. The application needs longer than failureThreshold × periodSeconds, hangs at its start, or the probe is wrong.',
        'startupProbe 通过之前其他探针不会执行;失败满 failureThreshold 次,容器被杀、从头再来。要么应用启动时间超过 failureThreshold × periodSeconds,要么启动时卡住,要么探针配错。',
      ],
      steps: [
        podEvents,
        previousLog,
        ['Read the startup probe.', '看 startupProbe 配置。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].startupProbe}'"],
        [
          'Start a copy without probes and measure how long the start takes.',
          '起一个不带探针的副本,测实际启动耗时。',
          'kubectl debug {pod} -n {namespace} -it --copy-to={pod}-debug --container={container} --profile=general -- sh',
        ],
        edit(
          'Set failureThreshold × periodSeconds to twice the longest start that you measured, or make the start faster (more CPU).',
          '把 failureThreshold × periodSeconds 设为实测最长启动时间的两倍,或给更多 CPU 加快启动。',
        ),
      ],
      avoid: [
        'Do not drop the startup probe for a liveness probe with a long delay: it kills the slowest starts all the same, and notices later failures late.',
        '不要去掉 startupProbe 改用 initialDelaySeconds 很大的存活探针:最慢的那次启动照样被杀,之后的故障还发现得晚。',
      ],
    }),
    other: buildCause({
      ...base,
      title: ['Killed by a failing liveness probe', '存活探针失败(其他原因)'],
      explanation: [
        'The kubelet killed the container because its liveness probe failed. No Event is left that says what the probe saw (they are rate-limited and expire), or podtrail cannot read its output.',
        'kubelet 因存活探针失败杀掉了容器。但没有留下探针输出的事件(事件会被限流、会过期),或输出无法识别。',
      ],
      steps: [podEvents, readProbes, previousLog, probelessCopy],
    }),
  },
};
