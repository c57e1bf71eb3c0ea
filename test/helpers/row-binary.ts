/** What an engine answers in RowBinary to a query for strings. */
export function stringRows(rows: readonly (readonly string[])[]): Buffer {
  return Buffer.concat(rows.flatMap((row) => row.flatMap((text) => [lengthOf(Buffer.byteLength(text)), Buffer.from(text)])));
}

function lengthOf(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}
