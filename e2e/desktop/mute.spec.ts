import { type ChildProcess, spawn } from 'node:child_process';
import { ANNA, BEN, Person } from '../support/person.js';
import { type Client, pressEverywhere } from './client.js';
import { expect, test } from './test.js';

const KEYS = 'ctrl+shift+m';

/** What is told by notifications, on the bus that they go over. */
class Notifications {
  readonly #monitor: ChildProcess;
  #told = '';

  constructor() {
    const which = "interface='org.freedesktop.Notifications',member='Notify'";
    this.#monitor = spawn('dbus-monitor', ['--session', which], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#monitor.stdout?.on('data', (chunk) => {
      this.#told += chunk;
    });
  }

  count(title: string): number {
    return this.#told.split(`string "${title}"`).length - 1;
  }

  close(): void {
    this.#monitor.kill();
  }
}

/** Keeps what the tray shows from now on, since nothing tells it afterwards. */
async function watchTray(client: Client): Promise<void> {
  await client.app.evaluate(({ Tray }) => {
    const { setContextMenu, setToolTip } = Tray.prototype;
    Tray.prototype.setContextMenu = function (menu) {
      Object.assign(globalThis, { trayMenu: menu });
      return setContextMenu.call(this, menu);
    };
    Tray.prototype.setToolTip = function (text) {
      Object.assign(globalThis, { trayText: text });
      return setToolTip.call(this, text);
    };
  });
}

const trayText = (client: Client) =>
  client.app.evaluate(() => (globalThis as unknown as { trayText: string }).trayText);

const clickTray = (client: Client, id: string) =>
  client.app.evaluate((_electron, id) => {
    (globalThis as unknown as { trayMenu: Electron.Menu }).trayMenu.getMenuItemById(id)?.click();
  }, id);

const hasKeys = (client: Client) =>
  client.app.evaluate(({ globalShortcut }) => globalShortcut.isRegistered('CommandOrControl+Shift+M'));

let notifications: Notifications;
test.beforeEach(() => {
  notifications = new Notifications();
});
test.afterEach(() => notifications.close());

test('in a meeting the microphone is muted from everywhere: by keys and from the tray', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  await watchTray(client);
  const page = await client.page(room.server.url);
  const anna = await Person.at(page, room.url, ANNA);
  expect(await hasKeys(client), 'the keys are everybody’s outside of a meeting').toBe(false);
  expect(await client.menuItem('mute')).toMatchObject({ enabled: false });
  await anna.enter();
  const ben = await room.join(BEN);
  await ben.hears(ANNA);
  await expect.poll(() => hasKeys(client)).toBe(true);
  expect(await trayText(client)).toBe(`In the meeting ${room.name}, microphone on`);

  // With another window in front: the keys are heard all the same, and what they did is told.
  await client.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.minimize());
  await pressEverywhere(KEYS);
  await ben.hearsNothingOf(ANNA);
  await expect.poll(() => trayText(client)).toBe(`In the meeting ${room.name}, microphone off`);
  await expect.poll(() => notifications.count('You are muted')).toBe(1);
  await pressEverywhere(KEYS);
  await ben.hears(ANNA);
  await expect.poll(() => notifications.count('Your microphone is on')).toBe(1);

  await clickTray(client, 'show');
  await expect
    .poll(() => client.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isFocused()))
    .toBe(true);
  await clickTray(client, 'mute');
  await ben.hearsNothingOf(ANNA);
  expect(await client.menuItem('mute')).toMatchObject({ label: 'Unmute microphone', enabled: true });
  expect(notifications.count('You are muted'), 'nothing is told to who sees the window').toBe(1);

  await page.getByTestId('leave').click();
  await expect.poll(() => hasKeys(client)).toBe(false);
  await expect.poll(() => trayText(client)).toBe('Hyperion');
});

test('a link to another room leaves the meeting first', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  const anna = await Person.at(await client.page(room.server.url), room.url, ANNA);
  await anna.enter();
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  await expect.poll(() => hasKeys(client)).toBe(true);
  await client.startAgain(`hyperion://${new URL(room.server.url).host}/r/another`);
  const question = await client.question('switch');
  await question.getByRole('button', { name: 'Leave and open the other' }).click().catch(() => {});
  await expect(ben.tile(ANNA)).toHaveCount(0);
  const page = await client.page(new URL('/r/another', room.server.url).href);
  await expect(page.getByTestId('join')).toBeVisible();
  expect(await client.menuItem('mute')).toMatchObject({ enabled: false });
});

test('keys that are taken by somebody else are not shown', async ({ openSite, start }) => {
  const site = await openSite();
  const first = await start({ server: site.url });
  const say = (client: Client) =>
    client.page(site.url).then((page) =>
      page.evaluate(() => {
        const { hyperionDesktop } = globalThis as unknown as { hyperionDesktop: { setMeeting(value: unknown): void } };
        hyperionDesktop.setMeeting({ inMeeting: true, micOn: true, room: 'daily' });
      }),
    );
  await say(first);
  await expect.poll(() => first.menuItem('mute')).toMatchObject({ enabled: true, accelerator: 'CommandOrControl+Shift+M' });
  const second = await start({ server: site.url });
  await say(second);
  await expect.poll(() => second.menuItem('mute')).toMatchObject({ enabled: true });
  expect((await second.menuItem('mute')).accelerator).toBeUndefined();
});
