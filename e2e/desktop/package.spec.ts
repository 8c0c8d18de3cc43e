import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '../../desktop/node_modules/@electron/fuses/dist/index.js';
import { Client, run } from './client.js';
import { expect, test } from './test.js';

const ROOT = join(import.meta.dirname, '../..');
const { OFF, ON } = { OFF: FuseState.DISABLE, ON: FuseState.ENABLE };

let folder: string;
let binary: string;

// Packaged from the Electron that the other tests run in, as from a downloaded one.
test.beforeAll(async () => {
  test.setTimeout(180_000);
  folder = await mkdtemp(join(tmpdir(), 'packaged-'));
  const client = await Client.start();
  const version = await client.app.evaluate(() => process.versions['electron']);
  await client.remove();
  const electron = dirname(process.env['HYPERION_ELECTRON'] ?? '');
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const archive = join(folder, `electron-v${version}-linux-${arch}.zip`);
  await promisify(execFile)('zip', ['-q', '-r', '-1', archive, '.', '-x', 'resources/app/*'], { cwd: electron });
  const { stdout } = await promisify(execFile)(
    join(ROOT, 'script/desktop'),
    ['--package', '--electron-zips', folder, '--electron-version', String(version), '--out', join(folder, 'out')],
  );
  binary = join(stdout.trim().split('\n').at(-1) ?? '', 'hyperion');
});
test.afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts the packaged client, and ends it after what it says and does in the meantime was waited for. */
async function runPackaged(args: string[], env: Record<string, string>, until: () => Promise<void>): Promise<string> {
  const profile = join(folder, 'profile');
  const child = spawn(binary, ['--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`, ...args], {
    env: { ...(process.env as Record<string, string>), ...env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    await until();
  } finally {
    child.kill();
    await ended;
    await rm(profile, { recursive: true, force: true });
  }
  return said;
}

test('the packaged client shows the server in a window', async ({ openSite }) => {
  const site = await openSite();
  await runPackaged([`--server=${site.url}`], {}, async () => {
    await expect.poll(() => site.asked).toEqual(['/']);
    await run('xdotool', 'search', '--sync', '--onlyvisible', '--name', 'A page');
  });
});

test('what Electron can do and the client does not need is switched off in the binary', async () => {
  const wire = await getCurrentFuseWire(binary);
  expect(wire).toMatchObject({
    [FuseV1Options.RunAsNode]: OFF,
    [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: OFF,
    [FuseV1Options.EnableNodeCliInspectArguments]: OFF,
    [FuseV1Options.EnableCookieEncryption]: ON,
    [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: ON,
    [FuseV1Options.OnlyLoadAppFromAsar]: ON,
  });
  // Electron has it since 29.
  const files = (wire as Record<number, FuseState | undefined>)[FuseV1Options.GrantFileProtocolExtraPrivileges];
  expect([undefined, FuseState.INHERIT, OFF]).toContain(files);
});

test('the packaged client is no Node and lets no debugger in', async ({ openSite }) => {
  const site = await openSite();
  const mark = join(folder, 'run-as-node');
  const server = `--server=${site.url}`;
  const shown = () => expect.poll(() => site.asked.length, { message: 'it starts as ever' }).toBe(1);
  await runPackaged(['-e', writing(mark), server], { ELECTRON_RUN_AS_NODE: '1' }, shown);
  await expect(access(mark)).rejects.toThrow('ENOENT');
  site.asked.length = 0;
  expect(await runPackaged([server, '--inspect=0'], {}, shown)).not.toContain('Debugger listening');
});

test('the packaged client runs nothing but what was packaged', async () => {
  const mark = join(folder, 'from-a-folder');
  const resources = join(dirname(binary), 'resources');
  await mkdir(join(resources, 'app'));
  await writeFile(join(resources, 'app/package.json'), '{ "main": "main.cjs" }');
  await writeFile(join(resources, 'app/main.cjs'), writing(mark));
  await rename(join(resources, 'app.asar'), join(folder, 'app.asar'));
  await runPackaged([], {}, () => new Promise((resolve) => setTimeout(resolve, 2_000)));
  await rename(join(folder, 'app.asar'), join(resources, 'app.asar'));
  await expect(access(mark)).rejects.toThrow('ENOENT');
});

/** Code that leaves a mark where it runs with Node's rights. */
function writing(mark: string): string {
  return `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`;
}
