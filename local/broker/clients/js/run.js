// Runs the suite: starts the endpoints that it needs, runs node's test runner over
// every *.test.js beside this file, and ends the endpoints. Arguments go to the test
// runner, so `node run.js --test-name-pattern sessions` runs a part of it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const muster = process.env.MUSTER ?? join(here, '../../../../bin/muster');
const anyPort = ['--amqp-port', '0', '--amqps-port', '0', '--management-port', '0', '--graph-port', '0', '--users', '1'];

// start runs muster local until end is called.
async function start(...flags) {
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
    async end() {
      ending = true;
      child.kill('SIGTERM');
      await exited;
    },
  };
}

const folder = await mkdtemp(join(tmpdir(), 'muster-clients-'));
const running = [];
let code = 1;
try {
  const limited = '--key=Sender:sender-key:Send';
  const root = '--key=RootManageSharedAccessKey:SAS_KEY_VALUE';
  const entra = '--accept-any-jwt';
  for (const flags of [[root, limited], [root, limited, entra, '--tls', folder], ['--open']]) running.push(await start(...flags));
  const [plain, tls, open] = running.map((r) => r.announcement);
  const files = readdirSync(here).filter((f) => f.endsWith('.test.js') && f.includes(process.env.ONLY ?? '')).map((f) => join(here, f));
  const runner = spawn(
    process.execPath,
    ['--test', '--test-concurrency', '3', '--test-timeout', '180000', '--test-reporter', process.env.REPORTER ?? 'spec', ...process.argv.slice(2), ...files],
    {
      stdio: 'inherit',
      env: { ...process.env, NODE_EXTRA_CA_CERTS: tls.ca_file, MUSTERTEST_ENDPOINTS: JSON.stringify({ plain, tls, open }) },
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal));
  [code] = await once(runner, 'exit');
} finally {
  await Promise.all(running.map((r) => r.end()));
  await rm(folder, { recursive: true });
}
process.exitCode = code ?? 1;
