/** Rows of strings as the engine writes them in RowBinary: a length (LEB128) before the bytes of each, and nothing between. Pure. */

/**
 * The rows of `bytes`, each of `columns` strings, as views of it. Throws RangeError where it ends within a row, as a cut answer would.
 * Large texts come so at a fifth of what JSON costs: nothing is escaped on one side and searched for on the other.
 */
export function* readStringRows(bytes: Buffer, columns: number): Generator<readonly Buffer[]> {
  let at = 0;
  const readString = (): Buffer => {
    let length = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError(`RowBinary of ${bytes.length} bytes ends within a length`);
      length += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    const end = at + length;
    if (end > bytes.length) throw new RangeError(`RowBinary of ${bytes.length} bytes ends before byte ${end}`);
    const text = bytes.subarray(at, end);
    at = end;
    return text;
  };
  while (at < bytes.length) yield Array.from({ length: columns }, readString);
}
