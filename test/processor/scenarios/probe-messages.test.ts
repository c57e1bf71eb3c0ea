import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeCause, ProbeKind } from '../../../processor/scenarios/probe-messages.ts';
import { classifyProbe, isProbeOrphan, probeKind, readUnhealthy } from '../../../processor/scenarios/probe-messages.ts';

/** kind, cause, whether the output proves the probe wrong, output. */
const cases: readonly (readonly [ProbeKind, ProbeCause, boolean, string])[] = [
  ['http', 'probe_http_status', false, 'HTTP probe failed with statuscode: 503'],
  ['http', 'probe_http_status', false, 'HTTP probe failed with statuscode: 404'],
  ['http', 'probe_http_status', false, 'HTTP probe failed with status code 503'],
  ['http', 'probe_http_status', false, 'Get "http://10.1.2.3:8080/login": stopped after 10 redirects'],
  ['http', 'probe_connection_refused', false, 'Get "http://10.1.2.3:8080/healthz": dial tcp 10.1.2.3:8080: connect: connection refused'],
  ['http', 'probe_connection_refused', false, 'Get http://10.1.2.3:8080/healthz: dial tcp 10.1.2.3:8080: connect: connection refused'],
  ['http', 'probe_connection_refused', false, 'Get "http://10.1.2.3:8080/": read tcp 10.1.2.1:41000->10.1.2.3:8080: read: connection reset by peer'],
  ['http', 'probe_connection_refused', false, 'Get "http://10.1.2.3:8080/": EOF'],
  ['http', 'probe_connection_refused', false, 'Get "http://10.1.2.3:8080/": dial tcp 10.1.2.3:8080: connect: no route to host'],
  ['http', 'probe_connection_refused', false, 'Get "http://127.88.0.12:9990/": dial tcp 127.88.0.12:9990: connect: invalid argument'],
  ['http', 'probe_timeout', false, 'Get "http://10.1.2.3:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'],
  ['http', 'probe_timeout', false, 'Get http://10.1.2.3:8080/healthz: net/http: request canceled (Client.Timeout exceeded while awaiting headers)'],
  [
    'http',
    'probe_timeout',
    false,
    'Get "http://10.1.2.3:8080/healthz": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
  ],
  ['http', 'probe_timeout', false, 'Get "http://10.1.2.3:8080/healthz": context deadline exceeded (Client.Timeout or context cancellation while reading body)'],
  ['http', 'probe_timeout', false, 'Get "http://10.1.2.3:8080/healthz": dial tcp 10.1.2.3:8080: i/o timeout'],
  ['http', 'probe_http_status', true, 'Get "https://10.1.2.3:8080/": http: server gave HTTP response to HTTPS client'],
  ['http', 'probe_http_status', true, 'Get "http://10.1.2.3:8443/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03\\x01"'],
  ['http', 'other', true, 'Get "http://web.invalid:8080/": dial tcp: lookup web.invalid on 10.0.0.10:53: no such host'],
  ['http', 'other', true, "couldn't find port: {%!d(int=1) 0 admin}"],
  ['http', 'other', true, 'strconv.Atoi: parsing "http": invalid syntax'],
  ['http', 'probe_connection_refused', false, 'Get "http://10.1.2.3:8080/": net/http: HTTP/1.x transport connection broken: unexpected EOF'],
  ['grpc', 'probe_timeout', false, 'timeout: health rpc did not complete within 1s'],
  ['grpc', 'probe_http_status', false, 'error: health rpc failed: rpc error: code = Unknown desc = boom'],
  ['grpc', 'probe_http_status', true, 'error: health rpc failed: rpc error: code = NotFound desc = unknown service'],
  [
    'http',
    'probe_timeout',
    false,
    'Get "http://10.1.2.3:8080/": dial tcp 10.1.2.3:8080: connectex: A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond.',
  ],
  ['exec', 'probe_timeout', false, 'rpc error: code = Unknown desc = command error: command timed out, stdout: , stderr: , exit code -1'],
  ['tcp', 'probe_connection_refused', false, 'dial tcp 10.1.2.3:5432: connect: connection refused'],
  ['tcp', 'probe_timeout', false, 'dial tcp 10.1.2.3:5432: i/o timeout'],
  ['grpc', 'probe_http_status', false, 'service unhealthy (responded with "NOT_SERVING")'],
  ['grpc', 'probe_timeout', false, 'timeout: failed to connect service "10.1.2.3:50051" within 1s: context deadline exceeded'],
  [
    'grpc',
    'probe_connection_refused',
    false,
    'error: failed to connect service at "10.1.2.3:50051": connection error: desc = "transport: error while dialing: dial tcp 10.1.2.3:50051: connect: connection refused"',
  ],
  ['grpc', 'other', true, 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health'],
  ['exec', 'probe_exec', false, "cat: can't open '/tmp/healthy': No such file or directory"],
  ['exec', 'probe_exec', false, ''],
  ['exec', 'probe_exec', false, 'Could not connect to Redis at 127.0.0.1:6379: Connection refused'],
  ['exec', 'probe_exec', false, 'curl: (28) Connection timed out after 1000 milliseconds'],
  ['exec', 'probe_exec', false, 'wget: server returned error: HTTP/1.1 503 Service Unavailable'],
  ['exec', 'probe_exec', false, 'timeout waiting for the database'],
  ['exec', 'probe_timeout', false, 'command timed out: "/bin/sleep 5" timed out after 1s'],
  ['exec', 'probe_timeout', false, 'command "/bin/sh -c check" timed out'],
  ['exec', 'probe_timeout', false, 'rpc error: code = DeadlineExceeded desc = failed to exec in container: timeout 1s exceeded: context deadline exceeded'],
  [
    'exec',
    'probe_exec',
    true,
    'rpc error: code = Unknown desc = failed to exec in container: failed to start exec "a1": OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown',
  ],
  [
    'exec',
    'probe_exec',
    true,
    'OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: "/probe": stat /probe: no such file or directory: unknown',
  ],
  [
    'exec',
    'probe_exec',
    true,
    'rpc error: code = Unknown desc = command error: executable file `grpc_health_probe` not found in $PATH: No such file or directory, stdout: , stderr: , exit code -1',
  ],
  [
    'exec',
    'probe_exec',
    true,
    'error executing command `curl` in container: crun: executable file `curl` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
  ],
  ['exec', 'probe_exec', true, '/bin/sh: 1: curl: not found'],
  ['exec', 'probe_exec', true, 'sh: pg_isready: not found'],
  ['exec', 'probe_exec', true, '/bin/bash: line 1: curl: command not found'],
];
for (const [kind, cause, wrong, output] of cases) {
  test(`reads ${cause}${wrong ? ' of a wrong probe' : ''} out of ${kind}: ${output.slice(0, 120)}`, () => {
    const verdict = classifyProbe(output, kind);
    assert.deepEqual([verdict.cause, verdict.wrong !== ''], [cause, wrong]);
  });
}

test('guesses the kind of probe from its output where the spec is unknown', () => {
  for (const [kind, cause, , output] of cases) {
    // An application that prints what the kubelet would print cannot be told apart without the spec.
    if (kind === 'grpc' || output === '' || /strconv|find port/.test(output)) continue;
    assert.equal(classifyProbe(output, undefined).cause, cause, output);
  }
});

test('keeps the HTTP status', () => assert.equal(classifyProbe('HTTP probe failed with statuscode: 404', 'http').status, 404));

const notes: readonly (readonly [note: string, probe: string | undefined, output: string | undefined])[] = [
  ['Readiness probe failed: HTTP probe failed with statuscode: 500', 'Readiness', 'HTTP probe failed with statuscode: 500'],
  ['Liveness probe failed: cat: no\nsecond line\n', 'Liveness', 'cat: no\nsecond line'],
  ['Startup probe failed: ', 'Startup', ''],
  ['Startup probe failed:', 'Startup', ''],
  ['Readiness probe errored: rpc error: code = NotFound', 'Readiness', 'rpc error: code = NotFound'],
  ['Readiness probe errored and resulted in unknown state: rpc error', 'Readiness', 'rpc error'],
  ['(combined from similar events): Liveness probe failed: x', 'Liveness', 'x'],
  ['Stopping container app', undefined, undefined],
];
for (const [note, probe, output] of notes) {
  test(`splits ${JSON.stringify(note)}`, () => {
    const read = readUnhealthy(note);
    assert.deepEqual([read?.probe, read?.output], [probe, output]);
  });
}

test('knows a probe that ran into a container that was gone', () => {
  const gone = [
    'rpc error: code = Unknown desc = failed to exec in container: failed to load task: no running task found: task 1a2b not found: not found',
    'rpc error: code = Unknown desc = container not running (1a2b)',
    'cannot exec in a stopped container: unknown',
    'failed to run in container - Exec setup failed - API error (500): Container 569bdd1b is not running',
    'rpc error: code = Canceled desc = context canceled',
    'rpc error: code = Unknown desc = container is not created or running',
    'rpc error: code = Unknown desc = failed to exec in container: container is in CONTAINER_EXITED state',
  ];
  assert.deepEqual(
    gone.filter((output) => !isProbeOrphan(output)),
    [],
  );
  assert.equal(isProbeOrphan('dial tcp 10.1.2.3:80: connect: connection refused'), false);
});

test('reads the kind of probe from its handler', () => {
  assert.equal(probeKind({ exec: { command: ['true'] } }), 'exec');
  assert.equal(probeKind({ httpGet: { port: 80 } }), 'http');
  assert.equal(probeKind({ tcpSocket: { port: 80 } }), 'tcp');
  assert.equal(probeKind({ grpc: { port: 80 } }), 'grpc');
  assert.equal(probeKind(undefined), undefined);
});
