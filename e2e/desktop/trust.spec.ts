import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANNA, Person } from '../support/person.js';
import { Server } from '../support/server.js';
import { answer } from './client.js';
import { expect, test } from './test.js';

const running = new Set<Server>();
let folder: string;

/** A server with a certificate of its own, which is another for another folder. */
async function secureServer(folder: string, port = 0): Promise<Server> {
  const server = await Server.start('--listen', `0.0.0.0:${port}`, '--open', '--announce', '127.0.0.1', '--data-dir', folder);
  running.add(server);
  return server;
}

async function stop(server: Server): Promise<void> {
  running.delete(server);
  await server.stop();
}

test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certificates-'));
});
test.afterEach(async () => {
  await Promise.all([...running].map(stop));
  await rm(folder, { recursive: true });
});

test('a certificate that the server made itself is trusted once, by its fingerprint, and a changed one is refused', async ({
  start,
}) => {
  const server = await secureServer(join(folder, 'one'));
  const { port } = new URL(server.url);
  const host = `127.0.0.1:${port}`;
  const client = await start({ server: server.url });

  // It is shown as the server prints it.
  const trust = await client.question('trust');
  await expect(trust.locator('h1')).toHaveText('Do you know this certificate?');
  await expect(trust.locator('#fingerprint')).toHaveText(server.certificate);
  await expect(trust.getByRole('button', { name: 'Choose another server' })).toBeFocused();
  expect(await client.shown()).toBe(1);
  await answer(trust.getByRole('button', { name: 'They are the same: trust it' }));

  // Page, requests and WebSocket work with it.
  const page = await client.page(server.url);
  const anna = await Person.at(page, `${server.url}r/daily`, ANNA);
  await anna.enter();
  await expect(page.getByTestId('participant-count')).toHaveText('1');

  // At the next start nobody is asked.
  const profile = await client.quit();
  const settings = JSON.parse(await readFile(join(profile, 'settings.json'), 'utf8'));
  expect(settings.pins).toEqual({ [host]: server.certificate });
  const again = await start({ server: server.url, profile });
  await expect((await again.page(server.url)).getByTestId('room-input')).toBeVisible();
  await stop(server);

  // Somebody with another certificate in the same place: refused while it runs, and at the next start.
  const other = await secureServer(join(folder, 'other'), Number(port));
  expect(other.certificate).not.toBe(server.certificate);
  await again.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.reload());
  const changed = await again.question('trust');
  await expect(changed.locator('h1')).toHaveText('The certificate has changed');
  await expect(changed.locator('#fingerprint')).toHaveText(other.certificate);
  await expect(changed.locator('#before')).toHaveText(server.certificate);
  await expect(changed.getByRole('button', { name: 'trust it' })).toBeHidden();
  await again.quit();
  const third = await start({ server: server.url, profile });
  const refused = await third.question('trust');
  await expect(refused.locator('h1')).toHaveText('The certificate has changed');
  // What is not offered does not work either.
  await refused.evaluate(() => {
    const { hyperionPage } = globalThis as unknown as { hyperionPage: { answer(value: unknown): void } };
    hyperionPage.answer('trust');
  });
  await expect(refused.locator('h1')).toBeVisible();

  // A new certificate takes two steps: to forget the one before, and to look at the new one as at the first.
  await answer(refused.getByRole('button', { name: 'Forget what I trusted' }));
  const choose = await third.question('choose');
  await expect(choose.getByRole('textbox')).toHaveValue(new URL(server.url).origin);
  await answer(choose.getByRole('button', { name: 'Connect' }));
  const anew = await third.question('trust');
  await expect(anew.locator('h1')).toHaveText('Do you know this certificate?');
  await answer(anew.getByRole('button', { name: 'They are the same: trust it' }));
  await expect((await third.page(server.url)).getByTestId('room-input')).toBeVisible();
});

test('a certificate that changes in the middle of a meeting is not connected to, and that is said', async ({ start }) => {
  const server = await secureServer(join(folder, 'one'));
  const client = await start({ server: server.url });
  await answer((await client.question('trust')).getByRole('button', { name: 'trust it' }));
  const page = await client.page(server.url);
  const anna = await Person.at(page, `${server.url}r/daily`, ANNA);
  await anna.enter();
  await stop(server);
  const other = await secureServer(join(folder, 'other'), Number(new URL(server.url).port));
  const changed = await client.question('trust');
  await expect(changed.locator('h1')).toHaveText('The certificate has changed');
  await expect(changed.locator('#fingerprint')).toHaveText(other.certificate);
});

test('a certificate that was trusted for one server is not for another', async ({ start }) => {
  const one = await secureServer(join(folder, 'same'));
  const client = await start({ server: one.url });
  await answer((await client.question('trust')).getByRole('button', { name: 'trust it' }));
  await client.page(one.url);
  const other = await secureServer(join(folder, 'same'));
  expect(other.certificate).toBe(one.certificate);
  await client.clickMenuItem('choose-server');
  const choose = await client.question('choose');
  await choose.getByRole('textbox').fill(other.url);
  await answer(choose.getByRole('button', { name: 'Connect' }));
  await expect((await client.question('trust')).locator('h1')).toHaveText('Do you know this certificate?');
});
