/** podtrail, loaded and waiting: runs the command line that its standard input brings as JSON. So a test pays for loading ahead of time. */
import { createInterface } from 'node:readline';
import { main } from '../../deploy/main.ts';

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).once('line', (line) => {
  process.stdin.destroy();
  void main(['node', 'podtrail', ...(JSON.parse(line) as string[])]);
});
