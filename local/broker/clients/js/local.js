// Runs muster local.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const muster = process.env.MUSTER ?? join(here, '../../../../bin/muster');
const anyPort = ['--amqp-port', '0', '--amqps-port', '0', '--management-port', '0', '--graph-port', '0', '--users', '1'];

// start runs muster local until it is ended, by a signal if need be.
export async function start(...flags) {
  const child = spawn(muster, ['local', '--json', ...anyPort, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  // What it logs matters only where it did not start, or ended by itself.
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-10_000)));
  const exited = once(child, 'exit');
  let ending = false;
  exited.then(([code]) => {
    if (!ending) console.error(`muster local ${flags.join(' ')} ended with ${code}:\n${log}`);
  });
  const line = once(createInterface(child.stdout), 'line');
  const first = await Promise.race([line, exited]);
  if (typeof first[0] !== 'string') throw new Error(`muster local did not start: ${log}`);
  return {
    announcement: JSON.parse(first[0]),
    async end(signal = 'SIGTERM') {
      ending = true;
      child.kill(signal);
      await exited;
    },
  };
}
