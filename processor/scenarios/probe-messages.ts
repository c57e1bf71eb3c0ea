/**
 * What the output of a failed probe means (signals.md §8). The kind of probe decides how to read it: an HTTP, TCP or gRPC probe
 * prints the kubelet's own words, an exec probe prints whatever its command printed, which may talk of timeouts and refused
 * connections of its own.
 */
import type { Probe } from '../../collector/objects.ts';

export type ProbeCause = 'probe_connection_refused' | 'probe_timeout' | 'probe_http_status' | 'probe_exec' | 'other';

export interface ProbeVerdict {
  readonly cause: ProbeCause;
  /** The output itself proves that the probe is wrong, whatever the application does: why, else ''. */
  readonly wrong: string;
  /** HTTP status the application answered with, 0 where it did not. */
  readonly status: number;
}

export type ProbeKind = 'exec' | 'http' | 'tcp' | 'grpc';
export type ProbeName = 'Liveness' | 'Readiness' | 'Startup';

/** The probe's handler. */
export function probeKind(probe: Probe | undefined): ProbeKind | undefined {
  if (probe?.exec !== undefined) return 'exec';
  if (probe?.httpGet !== undefined) return 'http';
  if (probe?.tcpSocket !== undefined) return 'tcp';
  return probe?.grpc === undefined ? undefined : 'grpc';
}

/** Which probe an Unhealthy Event is about, and what it printed. */
export function readUnhealthy(note: string): { readonly probe: ProbeName; readonly output: string } | undefined {
  const match =
    /^(?:\(combined from similar events\): )?(liveness|readiness|startup) probe (?:failed|errored)(?: and resulted in \w+ state)?:?\s?([\s\S]*)$/i.exec(note);
  if (match === null) return undefined;
  const word = (match[1] ?? '').toLowerCase();
  const probe = word === 'liveness' ? 'Liveness' : word === 'readiness' ? 'Readiness' : 'Startup';
  return { probe, output: (match[2] ?? '').trim() };
}

/** The container had gone before the probe could run, or went while it ran: says nothing of the probe or the application. */
export function isProbeOrphan(output: string): boolean {
  return /container (?:is )?not (?:created or )?running|stopped container|not in running state|(?:task|container) \S+ not found|no running task|no such container|already exited|container is in \w*exited|code = Canceled|container \S+ is not running/i.test(
    output,
  );
}

/** Reads the output of a failed probe. `kind` undefined: the spec is not known, the text tells. */
export function classifyProbe(output: string, kind: ProbeKind | undefined): ProbeVerdict {
  const read = kind ?? kindOfText(output);
  return read === 'exec' ? classifyExec(output) : classifyNetwork(output);
}

function kindOfText(output: string): ProbeKind {
  if (/^HTTP probe failed|^Get "?http|status ?code:? \d/i.test(output)) return 'http';
  if (/^dial tcp/i.test(output)) return 'tcp';
  return /grpc|failed to connect service|service unhealthy/i.test(output) && !/^rpc error/.test(output) ? 'grpc' : 'exec';
}

const verdict = (cause: ProbeCause, wrong = '', status = 0): ProbeVerdict => ({ cause, wrong, status });

/** The runtime could not start the command at all: its text, not the command's. */
const NOT_STARTED = /OCI runtime (?:exec failed|attempted)|failed to exec in container|unable to start container process|^rpc error/i;
const COMMAND_MISSING = /executable file.{0,200}not found|no such file or directory|permission denied|is a directory/i;
/** `/bin/sh: 1: curl: not found`, `bash: line 1: curl: command not found`. */
const SHELL_MISSES = /^(?:\/\S+|\w+): (?:(?:line )?\d+: )?\S+: (?:command )?not found\b/m;
const EXEC_TIMED_OUT =
  /\bcommand (?:timed out|"?.{0,400}"? timed out)|code = DeadlineExceeded|timeout .{0,40}exceeded|deadline exceeded|exec probe .{0,60}timed out/is;

function classifyExec(output: string): ProbeVerdict {
  const started = !NOT_STARTED.test(output);
  if (/^command /i.test(output) || !started) {
    if (EXEC_TIMED_OUT.test(output)) return verdict('probe_timeout');
  }
  const missing = started ? SHELL_MISSES.test(output) : COMMAND_MISSING.test(output);
  return verdict('probe_exec', missing ? 'its command cannot be run in the image' : '');
}

function classifyNetwork(output: string): ProbeVerdict {
  const status = /status ?code:? (\d{3})\b/i.exec(output)?.[1];
  if (status !== undefined) return verdict('probe_http_status', '', Number(status));
  if (/couldn'?t find port|strconv\.Atoi|invalid port|unknown port|no port named/i.test(output))
    return verdict('other', 'its port is not one of the container');
  if (/missing probe handler/i.test(output)) return verdict('other', "the node's kubelet does not know its kind of probe");
  if (/server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i.test(output))
    return verdict('probe_http_status', 'it speaks HTTPS to a plain HTTP port');
  if (/malformed HTTP/i.test(output)) return verdict('probe_http_status', 'its port does not speak HTTP');
  if (/does not implement the grpc health protocol|unknown service grpc\.health/i.test(output))
    return verdict('other', 'the server has no gRPC health service');
  if (/stopped after \d+ redirects/i.test(output)) return verdict('probe_http_status');
  if (/code = NotFound desc = unknown service/i.test(output)) return verdict('probe_http_status', 'the server does not know the gRPC service it asks for');
  if (/no such host|invalid URL|unsupported protocol scheme/i.test(output)) return verdict('other', 'its host or URL is no address');
  if (/tls:|x509/i.test(output)) return verdict('probe_http_status', 'the TLS handshake with its port fails');
  if (
    /connection refused|actively refused|connection reset|broken pipe|\bEOF\b|no route to host|network is unreachable|host is (?:down|unreachable)|: connect: (?!\S* ?timed out)/i.test(
      output,
    )
  )
    return verdict('probe_connection_refused');
  // The last is Windows' WSAETIMEDOUT.
  if (/deadline exceeded|timeout|timed out|DeadlineExceeded|did not properly respond/i.test(output)) return verdict('probe_timeout');
  if (/service unhealthy|NOT_SERVING|responded with|health rpc failed/i.test(output)) return verdict('probe_http_status');
  return verdict('other');
}
