// Runs the suite: starts the endpoints that it needs, runs node's test runner over
// every *.test.js beside this file, and ends the endpoints. Arguments go to the test
// runner, so `node run.js --test-name-pattern sessions` runs a part of it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { here, start } from './local.js';

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
