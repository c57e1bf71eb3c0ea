/** What an exit code says: signals.md §19, with the names of signal(7). */

const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

const MEANINGS: Readonly<Record<number, string>> = {
  0: 'success',
  1: 'the application reported an error',
  2: 'wrong usage, or a Go panic',
  125: 'a wrapper such as timeout or env failed itself',
  126: 'the command was found but could not be executed',
  127: 'the command, or a library it loads, was not found',
  128: 'the container could not be started',
};

/** Windows reports NTSTATUS values: unsigned 32-bit numbers with the two highest bits set for errors. */
const NTSTATUS_ERROR = 0xc0000000;

/** The signal that ended the process, as the shell convention 128 + n tells it, or ''. */
export function signalOf(exitCode: number): string {
  return exitCode > 128 && exitCode < 160 ? (SIGNALS[exitCode - 128] ?? `signal ${exitCode - 128}`) : '';
}

/** `exit code 137 (SIGKILL)`; the reason of the terminated state changes what a code means. */
export function describeExit(exitCode: number, reason = ''): string {
  return `exit code ${exitCode} (${meaningOf(exitCode, reason)})`;
}

function meaningOf(exitCode: number, reason: string): string {
  if (reason === 'ContainerStatusUnknown') return 'the kubelet lost the container: no real exit code';
  if (reason === 'Unknown') return 'the runtime lost the container, usually because it or the node restarted';
  if (exitCode >= NTSTATUS_ERROR) return `Windows status 0x${exitCode.toString(16)}`;
  if (exitCode === 255 || exitCode < 0) return 'the application or the runtime gave -1';
  return signalOf(exitCode) || MEANINGS[exitCode] || 'the application chose this code';
}

/**
 * The kubelet writes this of every container that has not ended when it is done with a pod: one that backs off, or never started. It is
 * the end of no run (signals.md §19: invented 137).
 */
export function isNoRun({ reason, message }: { readonly reason?: string | undefined; readonly message?: string | undefined }): boolean {
  return reason === 'ContainerStatusUnknown' && /could not be located when the pod was terminated/.test(message ?? '');
}
