/**
 * Reads a shell line as POSIX quoting has it, and refuses whatever a shell would do more than pass on as a word: expansions, globs,
 * redirections, lists. Pipes are allowed. So a line that is read without an error starts exactly the commands it shows.
 */

export class ShellError extends Error {}

const ACTIVE = new Set(['$', '`', '(', ')', ';', '&', '<', '>', '*', '?', '[', ']', '!', '#', '\n']);

/** The commands of a pipeline, each as its words. Throws a ShellError. `quoted` are the pieces that stood in quotes. */
export function readShellLine(line: string): { readonly commands: string[][]; readonly quoted: string[] } {
  const commands: string[][] = [[]];
  const quoted: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) commands.at(-1)?.push(word);
    word = undefined;
  };
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (char === ' ') endWord();
    else if (char === '|') {
      endWord();
      commands.push([]);
    } else if (char === "'" || char === '"') {
      const end = line.indexOf(char, at + 1);
      if (end < 0) throw new ShellError(`unbalanced ${char} in ${line}`);
      const text = line.slice(at + 1, end);
      if (char === '"' && /[$`\\!]/.test(text)) throw new ShellError(`expansion in double quotes in ${line}`);
      word = (word ?? '') + text;
      quoted.push(text);
      at = end;
    } else if (char === '\\') {
      at++;
      if (line[at] === undefined) throw new ShellError(`nothing after \\ in ${line}`);
      word = (word ?? '') + line[at];
    } else if (ACTIVE.has(char) && !(char === '!' && line[at + 1] === '=') && !(char === '#' && word !== undefined)) {
      throw new ShellError(`${char} is not quoted in ${line}`);
    } else word = (word ?? '') + char;
  }
  endWord();
  if (commands.some((words) => words.length === 0)) throw new ShellError(`empty command in ${line}`);
  return { commands, quoted };
}
