/** Causes of init_failure: an init container, or a sidecar that must start first, holds up the pod. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { currentLog, describePod, edit, ephemeralShell, podEvents, previousLog } from './steps.ts';

export const INIT_FAILURE: ScenarioEntry = {
  en: { title: 'Init failure' },
  zh: { title: '初始化失败' },
  causes: {
    init_exit: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.initContainers, DOCS.debugInit],
      title: ['An init container fails', 'Init 容器执行失败'],
      explanation: [
        'Init containers run one after the other, each to success, before any container of the application starts. One ends with an error and is started again with growing delay (Init:CrashLoopBackOff), or ends the pod where restartPolicy is Never. Typical are a migration that fails, a dependency that is not reachable, a missing right or file.',
        'Init 容器按顺序逐个执行,全部成功后业务容器才会启动。其中一个报错退出,kubelet 退避重试(Init:CrashLoopBackOff);restartPolicy 为 Never 时整个 Pod 直接失败。常见原因:数据库迁移失败、依赖服务连不上、缺权限或缺文件。',
      ],
      steps: [
        describePod,
        previousLog,
        [
          'See exit code and message of the last attempt.',
          '看上一次的退出码和信息。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.initContainerStatuses[*].lastState.terminated}'",
        ],
        [
          'Run its command by hand, in a copy that is held open.',
          '复制一个 Pod 卡住这个 Init 容器,进去手动执行命令。',
          'kubectl debug {pod} -n {namespace} -it --copy-to={pod}-debug --container={container} --profile=general -- sh',
        ],
        edit(
          'Correct the init container; make it idempotent, since it runs again with every new or restarted pod.',
          '修正 Init 容器,并保证幂等:Pod 每次重建、沙箱重建都会再执行一遍。',
        ),
      ],
      avoid: [
        'Do not ignore its errors (|| true) to get on: the application then starts on data that is half prepared.',
        '不要加 || true 跳过错误,业务会带着半成品数据启动。',
      ],
    }),
    init_oom: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.initContainers, DOCS.memory],
      title: ['An init container is OOM-killed', 'Init 容器 OOMKilled'],
      explanation: [
        'An init container used more memory than its own limit (or the node had none left) and was killed with SIGKILL, exit code 137. Its limit is separate from that of the application containers; the pod reserves the larger of both, so a higher limit for init costs nothing where the application asks for more anyway.',
        'Init 容器内存超过自己的 limit(或节点内存耗尽)被 SIGKILL,退出码 137。Init 容器的资源与业务容器分开配置,Pod 按两者的较大值预留,所以只要不超过业务容器,调大 Init 的 limit 不多占资源。',
      ],
      steps: [
        describePod,
        [
          'Read the limits of the init containers.',
          '看 Init 容器的 resources。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.initContainers[*].resources}'",
        ],
        previousLog,
        ['See whether the node itself ran out of memory.', '看节点是否整体内存不足。', 'kubectl get events -A --field-selector reason=SystemOOM'],
        edit('Raise the memory limit of the init container, or let it work in smaller portions.', '调大 Init 容器的内存 limit,或让它分批处理。'),
      ],
    }),
    init_stuck: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.initContainers, DOCS.sidecars, DOCS.debugInit],
      title: ['An init container does not finish', 'Init 容器一直不结束'],
      explanation: [
        'An init container has been running for minutes without an end, and everything after it waits. Most often it polls for something that does not come: a Service without endpoints, a name that does not resolve, a job that waits for this very pod. Detail sidecar_startup_probe: the container is a sidecar (restartPolicy: Always) that runs, but its startup probe never passes, so the kubelet does not go on to the next.',
        'Init 容器跑了好几分钟还没结束,后面的都在等。多半是在轮询等一个等不到的东西:Service 没有 endpoints、域名解析不了,或互相等待。detail 为 sidecar_startup_probe:这是个 sidecar(restartPolicy: Always),进程在跑,但 startupProbe 一直不过,kubelet 就不会继续启动后面的容器。',
      ],
      steps: [
        currentLog,
        [
          'See what it executes, and its startup probe if it is a sidecar.',
          '看它执行的命令;是 sidecar 的话看 startupProbe。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.initContainers}'",
        ],
        podEvents,
        ['If it waits for a Service, see whether that has endpoints.', '如果在等 Service,看它有没有 endpoints。', 'kubectl get endpointslices -n {namespace}'],
        ephemeralShell,
        edit(
          'Give the wait a timeout and a clear message, so that it fails instead of hanging. For a sidecar, correct the startup probe or raise failureThreshold × periodSeconds.',
          '给等待逻辑加超时和明确报错,宁可失败也别挂死;sidecar 就修正 startupProbe,或放宽 failureThreshold × periodSeconds。',
        ),
      ],
      avoid: [
        'Do not wait in an init container for what the application can retry itself: a dependency that is down for a minute then blocks every restart.',
        '应用自己能重试的依赖就别放在 Init 里等,否则依赖抖一下,所有重启都被卡住。',
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.initContainers, DOCS.debugInit],
      title: ['The initialisation does not get on', '初始化失败(其他原因)'],
      explanation: [
        'An init container restarts again and again, and nothing that podtrail saw tells how it ends. The state of the last run was overwritten or never reported.',
        'Init 容器反复重启,但没有看到它是怎么结束的。上一次运行的状态被覆盖或没有上报,只能看日志。',
      ],
      steps: [describePod, previousLog, podEvents],
    }),
  },
};
