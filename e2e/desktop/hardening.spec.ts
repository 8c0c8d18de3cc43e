import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { Client } from './client.js';
import { expect, test } from './test.js';

// The server of these tests has turned bad: what its page tries, nothing comes of.

/** What Node and Electron would be reached by, as far as the page has it. */
function reach(): string[] {
  const found: string[] = [];
  for (const name of ['require', 'process', 'module', 'global', 'Buffer', 'ipcRenderer', 'electron', 'hyperionPage']) {
    if (name in globalThis) found.push(name);
  }
  return found;
}

/** How windows were made, in the main process's own words. */
async function preferences(client: Client): Promise<Record<string, unknown>[]> {
  return client.app.evaluate(({ webContents }) =>
    webContents.getAllWebContents().map((contents) => {
      const { getLastWebPreferences } = contents as unknown as { getLastWebPreferences(): Record<string, unknown> };
      const has = getLastWebPreferences.call(contents);
      const names = ['sandbox', 'contextIsolation', 'nodeIntegration', 'nodeIntegrationInSubFrames'];
      names.push('webSecurity', 'allowRunningInsecureContent', 'webviewTag');
      const spelling = contents.session.isSpellCheckerEnabled();
      return { ...Object.fromEntries(names.map((name) => [name, has[name]])), spelling };
    }),
  );
}

const HARDENED = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  webviewTag: false,
  spelling: false,
};

test('every window is sandboxed and isolated', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  await client.page(site.url);
  await client.clickMenuItem('choose-server');
  await client.question('choose');
  expect(await preferences(client)).toEqual([HARDENED, HARDENED]);
});

test('a page, its frames and its workers reach neither Node nor Electron', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  expect(await page.evaluate(reach)).toEqual([]);
  const frame = await page.evaluateHandle(async () => {
    const frame = document.createElement('iframe');
    frame.src = '/frame';
    await new Promise((resolve) => {
      frame.onload = resolve;
      document.body.append(frame);
    });
    return frame;
  });
  const inside = await (await frame.asElement()?.contentFrame())?.evaluate(() => 'hyperionDesktop' in globalThis);
  expect(inside, 'a frame has nothing of the client').toBe(false);
  const inWorker = await page.evaluate(async () => {
    const code = "postMessage(['require', 'process', 'module', 'Buffer'].filter((name) => name in globalThis))";
    const worker = new Worker(URL.createObjectURL(new Blob([code])));
    return new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
  });
  expect(inWorker).toEqual([]);
});

test('a page is given four things, and cannot change them', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const given = await page.evaluate(() => {
    const { hyperionDesktop } = globalThis as unknown as { hyperionDesktop: Record<string, unknown> };
    try {
      hyperionDesktop['setMeeting'] = () => 'mine';
    } catch {
      // In strict code that is an error.
    }
    return Object.entries(hyperionDesktop).map(([name, value]) => [name, typeof value, String(value).includes('mine')]);
  });
  expect(given).toEqual([
    ['version', 'string', false],
    ['setMeeting', 'function', false],
    ['onToggleMute', 'function', false],
    ['onOpenRoom', 'function', false],
  ]);
});

test('what a page says of its meeting has to be that', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const say = (value: unknown) =>
    page.evaluate((value) => {
      const { hyperionDesktop } = globalThis as unknown as { hyperionDesktop: { setMeeting(value: unknown): void } };
      try {
        hyperionDesktop.setMeeting(value);
      } catch {
        // Nothing at all is refused by the preload script.
      }
    }, value);
  for (const value of [null, 7, {}, { inMeeting: 'yes', micOn: true, room: 'daily' }, { inMeeting: true, micOn: true, room: '<b>' }]) {
    await say(value);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await client.menuItem('mute')).toMatchObject({ enabled: false });
  await say({ inMeeting: true, micOn: true, room: 'daily' });
  await expect.poll(() => client.menuItem('mute')).toMatchObject({ label: 'Mute microphone', enabled: true });
  await say({ inMeeting: true, micOn: 0, room: 'daily' });
  await say({ inMeeting: true, micOn: false, room: 'daily' });
  await expect.poll(() => client.menuItem('mute')).toMatchObject({ label: 'Unmute microphone' });
});

test('a page goes nowhere else', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const site = await openSite({ '/redirected': `${elsewhere.url}/redirected` });
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const ways: [string, (url: string) => void][] = [
    ['location', (url) => location.assign(url)],
    ['replaced location', (url) => location.replace(url)],
    [
      'link',
      (url) => {
        const link = document.createElement('a');
        link.href = url;
        document.body.append(link);
        link.click();
      },
    ],
    [
      'form',
      (url) => {
        const form = document.createElement('form');
        form.action = url;
        form.method = 'post';
        document.body.append(form);
        form.submit();
      },
    ],
    [
      'refresh',
      (url) => {
        const refresh = document.createElement('meta');
        refresh.httpEquiv = 'refresh';
        refresh.content = `0; url=${url}`;
        document.head.append(refresh);
      },
    ],
    [
      'frame',
      (url) => {
        const frame = document.createElement('iframe');
        frame.src = url;
        document.body.append(frame);
      },
    ],
  ];
  const addresses = [`${elsewhere.url}/x`, `${site.url}/redirected`, 'file:///etc/passwd', 'hyperion-page://own/choose.html'];
  for (const address of addresses) {
    for (const [, go] of ways) await page.evaluate(go, address).catch(() => {});
  }
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  expect(elsewhere.asked).toEqual([]);
  expect(site.asked, 'the redirect itself was asked for').toContain('/redirected');
  expect(new URL(page.url()).origin).toBe(site.url);
  const frames = page.frames().map((frame) => frame.url());
  expect(frames.filter((url) => url.startsWith('file:') || url.startsWith('hyperion-page:'))).toEqual([]);
});

test('a page opens no window; what is on HTTPS is shown by the browser of the system', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const site = await openSite();
  const folder = await mkdtemp(join(tmpdir(), 'opened-'));
  const opened = join(folder, 'opened');
  // What the system opens addresses with.
  await writeFile(join(folder, 'xdg-open'), `#!/bin/sh\nprintf '%s\\n' "$1" >>'${opened}'\n`);
  await chmod(join(folder, 'xdg-open'), 0o755);
  const client = await start({ server: site.url, env: { PATH: `${folder}:${process.env['PATH']}` } });
  const page = await client.page(site.url);
  const answers = await page.evaluate((elsewhere) => {
    const addresses = [elsewhere, 'file:///etc/passwd', 'javascript:alert(1)', 'smb://127.0.0.1/x', '/r/other', 'about:blank'];
    return [...addresses, 'https://example.org/from-a-message'].map((address) => window.open(address) === null);
  }, elsewhere.url);
  expect(answers).not.toContain(false);
  await page.evaluate(() => {
    const link = document.createElement('a');
    link.href = 'https://example.org/from-a-link';
    link.target = '_blank';
    document.body.append(link);
    link.click();
  });
  await expect.poll(() => readFile(opened, 'utf8').catch(() => '')).toContain('from-a-link');
  expect((await readFile(opened, 'utf8')).trim().split('\n').sort()).toEqual([
    'https://example.org/from-a-link',
    'https://example.org/from-a-message',
  ]);
  expect(client.app.windows()).toHaveLength(1);
  expect(elsewhere.asked).toEqual([]);
});

test('a page cannot embed another as a guest', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  await page.evaluate((url) => {
    const guest = document.createElement('webview');
    guest.setAttribute('src', url);
    document.body.append(guest);
  }, elsewhere.url);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  expect(elsewhere.asked).toEqual([]);
  expect(await client.app.evaluate(({ webContents }) => webContents.getAllWebContents().length)).toBe(1);
});

/** Opens a window with the client's own preload script and session at another site, as a fault in the client would. */
async function openStranger(client: Client, url: string): Promise<Page> {
  const opened = client.app.waitForEvent('window');
  await client.app.evaluate(({ app, BrowserWindow, session }, url) => {
    const preload = `${app.getAppPath()}/dist/server-page.cjs`;
    const window = new BrowserWindow({ webPreferences: { preload, session: session.fromPartition('persist:server') } });
    void window.loadURL(url);
  }, url);
  const page = await opened;
  await page.waitForURL(`${url}/**`);
  return page;
}

test('messages of any other page are not listened to', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const say = (room: string) => {
    const { hyperionDesktop } = globalThis as unknown as { hyperionDesktop: { setMeeting(value: unknown): void } };
    hyperionDesktop.setMeeting({ inMeeting: true, micOn: true, room });
  };
  // Another site, and the right one in a window that is not the client's.
  for (const url of [elsewhere.url, site.url]) await (await openStranger(client, url)).evaluate(say, 'daily');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await client.menuItem('mute')).toMatchObject({ enabled: false });
  // Another site in the client's own window, as if it had got there after all.
  const show = (url: string) =>
    client.app.evaluate(({ BrowserWindow }, url) => BrowserWindow.fromId(1)?.loadURL(url), url);
  await show(elsewhere.url);
  await page.evaluate(say, 'daily');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await client.menuItem('mute')).toMatchObject({ enabled: false });
  await show(site.url);
  await page.evaluate(say, 'daily');
  await expect.poll(() => client.menuItem('mute')).toMatchObject({ enabled: true });
});

test('devices, notifications and the full screen are for the chosen server only', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const ask = async () => {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then(
      (stream) => stream.getTracks().length,
      ({ name }) => name,
    );
    const notifications = await Notification.requestPermission();
    // What is denied is not always said.
    const full = await Promise.race([
      document.documentElement.requestFullscreen().then(() => document.exitFullscreen().then(() => 'granted')),
      new Promise((resolve) => setTimeout(resolve, 3_000, 'denied')),
    ]).catch(() => 'denied');
    const place = await new Promise((resolve) =>
      navigator.geolocation.getCurrentPosition(
        () => resolve('granted'),
        ({ code }) => resolve(code === 1 ? 'denied' : code),
      ),
    );
    const clipboard = await navigator.clipboard.readText().then(
      () => 'granted',
      () => 'denied',
    );
    const midi = await navigator.requestMIDIAccess({ sysex: true }).then(
      () => 'granted',
      () => 'denied',
    );
    return { media, notifications, full, place, clipboard, midi };
  };
  // The click that the full screen wants.
  await page.mouse.click(5, 5);
  const denied = { place: 'denied', clipboard: 'denied', midi: 'denied' };
  expect(await page.evaluate(ask)).toEqual({ media: 2, notifications: 'granted', full: 'granted', ...denied });
  const stranger = await openStranger(client, elsewhere.url);
  await stranger.mouse.click(5, 5);
  expect(await stranger.evaluate(ask)).toEqual({
    media: 'NotAllowedError',
    notifications: 'denied',
    full: 'denied',
    ...denied,
  });
  const screen = await stranger.evaluate(() =>
    navigator.mediaDevices.getDisplayMedia({ video: true }).then(
      () => 'granted',
      () => 'denied',
    ),
  );
  expect(screen).toBe('denied');
});

test('own pages run no code but their own and reach nobody', async ({ openSite, start }) => {
  const elsewhere = await openSite();
  const client = await start();
  const page = await client.question('choose');
  const result = await page.evaluate(async (url) => {
    try {
      const script = document.createElement('script');
      script.textContent = 'globalThis.ran = true';
      document.body.append(script);
    } catch {
      // Trusted types refuse it before the policy does.
    }
    // Later: what a test evaluates may evaluate itself.
    const evaluated = await new Promise((resolve) =>
      setTimeout(() => {
        try {
          resolve((0, eval)('"ran"'));
        } catch {
          resolve('refused');
        }
      }),
    );
    const fetched = await fetch(url).then(
      () => 'fetched',
      () => 'refused',
    );
    return { ran: 'ran' in globalThis, evaluated, fetched, node: 'require' in globalThis || 'process' in globalThis };
  }, elsewhere.url);
  expect(result).toEqual({ ran: false, evaluated: 'refused', fetched: 'refused', node: false });
  expect(elsewhere.asked).toEqual([]);
});

test("own pages are the client's: the server's page gets none, and there is nothing but them", async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  const got = await page.evaluate(() =>
    fetch('hyperion-page://own/choose.html').then(
      ({ status }) => status,
      () => 'refused',
    ),
  );
  expect(got).toBe('refused');
  await client.clickMenuItem('choose-server');
  await client.question('choose');
  const statuses = await client.app.evaluate(async ({ session }) => {
    const own = session.fromPartition('own-pages');
    const paths = ['own/choose.html', 'own/../main.cjs', 'own/%2e%2e/main.cjs', 'own/', 'other/choose.html', 'own/none.js'];
    return Promise.all(paths.map(async (path) => (await own.fetch(`hyperion-page://${path}`)).status));
  });
  expect(statuses).toEqual([200, 404, 404, 404, 404, 404]);
});
