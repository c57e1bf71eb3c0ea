import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExit, signalOf } from '../../../processor/scenarios/exit-codes.ts';

const cases: readonly (readonly [code: number, reason: string, text: string])[] = [
  [0, 'Completed', 'exit code 0 (success)'],
  [1, 'Error', 'exit code 1 (the application reported an error)'],
  [126, 'Error', 'exit code 126 (the command was found but could not be executed)'],
  [127, 'Error', 'exit code 127 (the command, or a library it loads, was not found)'],
  [134, 'Error', 'exit code 134 (SIGABRT)'],
  [137, 'Error', 'exit code 137 (SIGKILL)'],
  [137, 'ContainerStatusUnknown', 'exit code 137 (the kubelet lost the container: no real exit code)'],
  [139, 'Error', 'exit code 139 (SIGSEGV)'],
  [143, 'Error', 'exit code 143 (SIGTERM)'],
  [150, 'Error', 'exit code 150 (signal 22)'],
  [255, 'Unknown', 'exit code 255 (the runtime lost the container, usually because it or the node restarted)'],
  [255, 'Error', 'exit code 255 (the application or the runtime gave -1)'],
  [-1, 'Error', 'exit code -1 (the application or the runtime gave -1)'],
  [3221225477, 'Error', 'exit code 3221225477 (Windows status 0xc0000005)'],
  [42, 'Error', 'exit code 42 (the application chose this code)'],
];
for (const [code, reason, text] of cases) {
  test(`decodes ${code} ${reason}`, () => assert.equal(describeExit(code, reason), text));
}

test('names a signal only above 128', () => {
  assert.equal(signalOf(128), '');
  assert.equal(signalOf(129), 'SIGHUP');
  assert.equal(signalOf(160), '');
});
