/** Causes of lifecycle_hook_failure: a postStart or preStop hook fails. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { describePod, edit, kubeletLog, podEvents, previousLog, probelessCopy } from './steps.ts';

export const LIFECYCLE_HOOK_FAILURE: ScenarioEntry = {
  en: { title: 'Lifecycle hook failure' },
  zh: { title: '回调失败' },
  causes: {
    poststart_failed: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.hooks, DOCS.podLifecycle],
      title: ['The postStart hook fails, so the container is killed', 'postStart 回调失败,容器被终止'],
      explanation: [
        'The kubelet runs postStart right after the container was started, at the same time as the entry point and in no fixed order; until the hook returns, the container does not count as running, and one that hangs leaves the pod in ContainerCreating. If it fails or exits with an error, the kubelet kills the container and the restart policy applies, so a hook that always fails becomes a crash loop. Since 1.26 the Event says only that it failed; the details are in the waiting message (PostStartHookError).',
        'postStart 在容器启动后立即执行,与 ENTRYPOINT 并行、先后不保证;回调返回前容器不算 Running,卡住的话 Pod 一直停在 ContainerCreating。回调失败,kubelet 会杀掉容器并按重启策略处理,一直失败就成了 CrashLoopBackOff。1.26 起事件里只写 PostStartHook failed,细节在 waiting 的 message(PostStartHookError)里。',
      ],
      steps: [
        describePod,
        ['Read the hook.', '看回调的定义。', "kubectl get pod {pod} -n {namespace} -o jsonpath='{.spec.containers[*].lifecycle}'"],
        previousLog,
        probelessCopy,
        edit(
          'Let the hook wait for what it needs (the process may not listen yet), use a program that is in the image, and make it harmless to repeat; or move the work into the entry point or an init container.',
          '回调里要等依赖就绪(此时主进程可能还没监听),只用镜像里有的命令,并保证可重复执行;能放进启动脚本或 Init 容器的就别放 postStart。',
        ),
      ],
      avoid: [
        'Do not start long work in postStart: the container is not ready, and gets no probes, until it returns.',
        '不要在 postStart 里做耗时操作,它返回之前容器不会 Ready,探针也不会开始。',
      ],
    }),
    prestop_failed: buildCause({
      severity: 'info',
      subject: 'workload',
      links: [DOCS.hooks, DOCS.podLifecycle],
      title: ['The preStop hook fails or takes too long', 'preStop 回调失败或超时'],
      explanation: [
        'When a pod is deleted, the kubelet runs preStop first and sends SIGTERM after it, all within terminationGracePeriodSeconds. A failing hook stops nothing: the container is terminated all the same, but what the hook should have done (deregister, drain connections) did not happen. Detail timeout: the hook used up the grace, so the process got almost no time after SIGTERM and was killed with SIGKILL.',
        '删除 Pod 时 kubelet 先执行 preStop 再发 SIGTERM,两者共用 terminationGracePeriodSeconds。回调失败不会阻止终止,但它该做的事(注册中心摘流、连接排空)没做成。detail 为 timeout:回调把宽限期用光了,进程收到 SIGTERM 后几乎没时间退出,直接被 SIGKILL。',
      ],
      steps: [
        podEvents,
        [
          'Compare the hook with the grace period of the template.',
          '对照模板里的 preStop 和宽限期。',
          'kubectl get {workloadKind} {workload} -n {namespace} -o yaml',
        ],
        [
          'Run the command of the hook in a living pod of the workload; in small images sleep, sh or curl are often missing.',
          '在同一负载的存活 Pod 里手动执行回调命令;精简镜像里经常没有 sh、sleep、curl。',
          'kubectl exec {pod} -n {namespace} -c {container} -- sh',
        ],
        kubeletLog,
        edit(
          'Correct the command, or use the sleep action (since 1.29), which needs no program in the image. Set terminationGracePeriodSeconds to the time of the hook plus that of the shutdown.',
          '修正命令,或用 sleep 动作(1.29 起,不依赖镜像里的命令);terminationGracePeriodSeconds 要大于 preStop 耗时加进程退出耗时。',
        ),
      ],
      avoid: [
        'Do not put a sleep as long as the grace period into preStop: the process then never has time to shut down cleanly.',
        'preStop 里的 sleep 不要接近或等于宽限期,否则进程永远没机会优雅退出。',
      ],
    }),
    other: buildCause({
      severity: 'info',
      subject: 'workload',
      links: [DOCS.hooks],
      title: ['A lifecycle hook fails', '回调失败(其他原因)'],
      explanation: [
        'A lifecycle hook of a container does not do what it should, for a reason podtrail does not know. Hooks have no log of their own: what an exec hook prints is lost, except for what the kubelet reports.',
        '容器回调异常,原因不在已知类别里。回调没有自己的日志,exec 的输出除了 kubelet 上报的部分都看不到。',
      ],
      steps: [describePod, podEvents, kubeletLog],
    }),
  },
};
