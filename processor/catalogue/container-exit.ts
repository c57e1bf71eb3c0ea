/** Causes of container_exit: the main process of a container ends. */
import { buildCause } from './build-cause.ts';
import { DOCS } from './docs.ts';
import type { ScenarioEntry } from './entry.ts';
import { containerImage, currentLog, describePod, edit, history, previousLog, probelessCopy, undo } from './steps.ts';

export const CONTAINER_EXIT: ScenarioEntry = {
  en: { title: 'Container exit' },
  zh: { title: '容器退出' },
  causes: {
    exit_immediate: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.debugPods, DOCS.command, DOCS.podFailure],
      title: ['The container ends right after its start', '容器启动后立即退出'],
      explanation: [
        'The main process ends within 10 seconds of its start and the kubelet starts it again with growing delay, up to 5 minutes (CrashLoopBackOff). Details: command_not_found, exit 127, a shell or loader misses a program; permission_denied, exit 126 or a file that may not be read or executed; missing_file, a file, module or shared library; exec_format_error, a binary of another architecture or a script without a shebang; no_foreground_process, exit 0, because the program went to the background and left nothing in front.',
        '主进程启动后 10 秒内就退出,kubelet 以递增间隔(最长 5 分钟)重启,即 CrashLoopBackOff。detail:command_not_found,退出码 127,命令找不到;permission_denied,退出码 126,没有执行或读取权限;missing_file,缺文件、模块或动态库;exec_format_error,架构不符,或脚本没写 shebang;no_foreground_process,退出码 0,程序跑到后台去了(nohup、Tomcat 的 startup.sh),没有前台进程。',
      ],
      steps: [
        previousLog,
        [
          'See exit code, reason and message of the last run.',
          '看上一次的退出码、reason 和 message。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.containerStatuses[*].lastState.terminated}'",
        ],
        containerImage,
        probelessCopy,
        ['exec_format_error: compare the architecture of the node.', 'exec_format_error:对照节点架构。', 'kubectl get nodes -L kubernetes.io/arch'],
        edit(
          'Correct the command; for no_foreground_process run the program in the foreground (exec, catalina.sh run, nginx -g "daemon off;"), or make it a Job if it is meant to end.',
          '修正启动命令;no_foreground_process 改为前台运行(exec、catalina.sh run、nginx -g "daemon off;"),本来就该跑完退出的用 Job。',
        ),
      ],
      avoid: [
        'Do not append "sleep infinity" or "tail -f" to keep the pod up: the container then looks healthy while the application is dead.',
        '不要在启动命令后面加 tail -f 让容器“不退出”(排查用可以),上线后应用死了容器还显示正常。',
      ],
    }),
    exit_after_run: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.podFailure, DOCS.debugPods, DOCS.podLifecycle],
      title: ['The container ends after it has run for a while', '容器运行一段时间后退出'],
      explanation: [
        'The main process ran and then ended by itself or by a signal that Kubernetes did not send. The exit code says which: 1 or 2, the application gave up and its log says why; 134 (abort) and 139 (segmentation fault), native code; 137 without OOMKilled, SIGKILL from outside or from the kernel; 143, SIGTERM by someone other than the kubelet. 255 with reason Unknown, and ContainerStatusUnknown, mean that the runtime or the node restarted and lost the container.',
        '主进程跑了一段时间后自己退出,或收到了不是 Kubernetes 发的信号。1/2:应用自己退出,看日志;134(abort)、139(段错误):native 代码崩溃;137 但不是 OOMKilled:被外部或内核 SIGKILL;143:kubelet 以外的人发了 SIGTERM;255 且 reason 为 Unknown、或 ContainerStatusUnknown:运行时或节点重启,容器丢了。',
      ],
      steps: [
        previousLog,
        [
          'See exit code, times and message.',
          '看退出码、起止时间和 message。',
          "kubectl get pod {pod} -n {namespace} -o jsonpath='{.status.containerStatuses[*].lastState.terminated}'",
        ],
        [
          'Did other containers of the node end at the same time (restart of runtime or node)?',
          '看同节点其他容器是否同时退出(运行时或节点重启)。',
          'kubectl get events -A --field-selector involvedObject.kind=Node --sort-by=.lastTimestamp',
        ],
        history,
        undo,
        edit(
          'Keep more for the next time: terminationMessagePolicy FallbackToLogsOnError, and dumps and logs (-XX:+HeapDumpOnOutOfMemoryError, hs_err, core) on a volume that outlives the container.',
          '为下次留现场:terminationMessagePolicy 设 FallbackToLogsOnError;heap dump、hs_err、core、日志写到容器外的持久卷。',
        ),
      ],
      avoid: [
        'Do not take 137 for OOM without the reason OOMKilled: liveness kills and ignored SIGTERM end with it too.',
        '别看到 137 就当 OOM:没有 OOMKilled 这个 reason 的话,存活探针击杀、忽略 SIGTERM 也是 137。',
      ],
    }),
    deadline_exceeded: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.jobs, DOCS.podLifecycle],
      title: ['Ended because activeDeadlineSeconds was over', '超过 activeDeadlineSeconds 被终止'],
      explanation: [
        'The pod or its Job was active longer than activeDeadlineSeconds. Of a Job, the controller deletes the running pods and retries nothing, whatever backoffLimit says; of a pod, the kubelet ends it with status Failed. Waiting for a node, for images and for retries counts towards the time of a Job.',
        'Pod 或 Job 的运行时间超过 activeDeadlineSeconds。Job 超时后控制器直接删除运行中的 Pod,不管 backoffLimit 还剩多少都不再重试;Pod 超时则由 kubelet 终止并置为 Failed。Job 的时间包含排队调度、拉镜像和重试。',
      ],
      steps: [
        ['Read the conditions and Events of the Job.', '看 Job 的 conditions 和事件。', 'kubectl describe {workloadKind} {workload} -n {namespace}'],
        [
          'See what it did with its time, while its pods exist. Deleted pods have no log here; look in your log store.',
          'Pod 还在就看日志看时间花在哪;已删除的到日志平台查。',
          'kubectl logs {pod} -n {namespace} --all-containers --timestamps --tail=200',
        ],
        ['Was it waiting rather than working?', '看是不是时间耗在等待上。', 'kubectl get events -n {namespace} --sort-by=.lastTimestamp'],
        edit(
          'Raise activeDeadlineSeconds above the longest good run, or make the work shorter. A finished Job does not start again: create it anew (for a CronJob: the next run, or create job --from).',
          '把 activeDeadlineSeconds 调到大于正常最长耗时,或优化任务。失败的 Job 不会再启动,需要重建(CronJob 等下一次,或用 create job --from 手动触发)。',
        ),
      ],
    }),
    other: buildCause({
      severity: 'warning',
      subject: 'workload',
      links: [DOCS.debugPods, DOCS.podFailure],
      title: ['The container restarts again and again', '容器反复重启(其他原因)'],
      explanation: [
        'The container is in CrashLoopBackOff or its restart count grows, but nothing that podtrail saw tells how its runs end. The status was overwritten between two looks, or Events were dropped.',
        '容器处于 CrashLoopBackOff 或重启次数持续上涨,但没有看到它是怎么结束的。状态在两次观察之间被覆盖,或事件被丢弃。',
      ],
      steps: [describePod, previousLog, currentLog, probelessCopy],
    }),
  },
};
