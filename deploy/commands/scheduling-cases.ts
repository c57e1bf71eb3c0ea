/** `podtrail precheck --scheduling-cases FILE`: what kube-scheduler would do in each recorded case, one line of JSON for each. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { answerSchedulingCase, decodeSchedulingCase } from '../../processor/capacity/scheduling-cases.ts';
import { CommandError, EXIT } from '../errors.ts';

/** A case with 5 000 nodes and 150 000 pods as the API prints them is some 600 MB; nobody records those. */
const MAX_LINE_CHARS = 256 * 1_024 * 1_024;

/**
 * Answers every case of the file (`-`: standard input; `.gz`: compressed) in order. Throws CommandError (exit 3) that names the line of the
 * first one that is not a case; those before it are answered.
 */
export async function answerCases(file: string, answer: (line: string) => void): Promise<void> {
  let number = 0;
  for await (const text of readLines(file)) {
    number += 1;
    if (text.trim() === '') continue;
    const decoded = decodeSchedulingCase(text);
    if (!decoded.ok) throw new CommandError(EXIT.badInput, `${file} line ${number} is no scheduling case: ${decoded.reason}`);
    answer(JSON.stringify(answerSchedulingCase(decoded.value)));
  }
}

async function* readLines(file: string): AsyncGenerator<string> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  const gunzip = file.endsWith('.gz') ? createGunzip() : undefined;
  // The pipeline hands an error of the source on to whoever reads the other end.
  const piping = gunzip === undefined ? undefined : pipeline(source, gunzip);
  piping?.catch(() => undefined);
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of gunzip ?? source) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARS) throw new CommandError(EXIT.badInput, `${file} has a line of more than ${MAX_LINE_CHARS} characters`);
      yield* lines;
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(EXIT.badInput, `read ${file === '-' ? 'standard input' : file} failed: ${(error as Error).message}`, { cause: error });
  }
  yield rest + decoder.decode();
}
