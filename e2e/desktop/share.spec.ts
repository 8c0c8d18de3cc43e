import type { Page } from '@playwright/test';
import { ANNA, BEN, Person, type Screen } from '../support/person.js';
import { answer, type Client } from './client.js';
import { expect, test } from './test.js';

interface SharedPage {
  shared: Promise<MediaStream | string>;
}

const BLUE: Screen = { colour: [0, 0, 255], width: 640, height: 480 };

/** Clicks on the page and shares from there, as a button of it would. */
async function share(page: Page, constraints: DisplayMediaStreamOptions = { video: true }): Promise<void> {
  await page.evaluate((constraints) => {
    document.body.addEventListener(
      'click',
      () => {
        const shared = navigator.mediaDevices.getDisplayMedia(constraints).catch(({ name }) => name);
        Object.assign(globalThis, { shared });
      },
      { once: true },
    );
  }, constraints);
  await page.locator('body').click({ position: { x: 3, y: 3 } });
}

/** The tracks that the page got, or the name of the error. */
async function sharedTracks(page: Page): Promise<string[] | string> {
  return page.evaluate(async () => {
    const shared = await (globalThis as unknown as SharedPage).shared;
    return typeof shared === 'string' ? shared : shared.getTracks().map(({ kind, readyState }) => `${readyState} ${kind}`);
  });
}

/** A window with one colour in it, to be found among others. */
async function openWindow(client: Client, title: string, screen: Screen): Promise<void> {
  await client.app.evaluate(
    async ({ BrowserWindow }, { title, screen }) => {
      const { colour, width, height } = screen;
      const window = new BrowserWindow({ width, height, frame: false });
      // What stands still is sent once a second; a mark that moves makes it a picture.
      const mark = '@keyframes move { to { translate: 300px } } i { animation: move 1s infinite; border: 9px solid; display: block; width: 0 }';
      const page = `<title>${title}</title><style>${mark}</style><body style="background:rgb(${colour})"><i>`;
      await window.loadURL(`data:text/html,${encodeURIComponent(page)}`);
    },
    { title, screen },
  );
}

test('a window is shared by the picker, and the others see it until it ends', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  const anna = await Person.at(await client.page(room.server.url), room.url, ANNA);
  await anna.enter();
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  await openWindow(client, 'A window of blue', BLUE);

  await anna.page.getByTestId('toggle-screen').click();
  const picker = await client.question('picker');
  await expect(picker.locator('h1')).toHaveText('What do you want to share?');
  await expect(picker.getByRole('group', { name: 'Screens' }).getByRole('radio')).not.toHaveCount(0);
  await expect(picker.getByRole('radio').first()).toBeFocused();
  await expect(picker.getByRole('button', { name: 'Share' })).toBeDisabled();
  const blue = picker.getByRole('group', { name: 'Windows' }).getByRole('radio', { name: 'A window of blue' });
  await blue.check({ force: true });
  await answer(picker.getByRole('button', { name: 'Share' }));
  await ben.seesScreen(ANNA, BLUE);

  await anna.page.getByTestId('stop-sharing').click();
  await expect(ben.screenTile(ANNA)).toHaveCount(0);
});

test('a picker that is closed leaves the meeting as it was', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  const anna = await Person.at(await client.page(room.server.url), room.url, ANNA);
  await anna.enter();
  await anna.page.getByTestId('toggle-screen').click();
  await answer((await client.question('picker')).getByRole('button', { name: 'Cancel' }));
  await expect(anna.page.getByTestId('sharing-bar')).toHaveCount(0);
  await expect(anna.page.getByRole('alert')).toHaveCount(0);
  await anna.page.getByTestId('toggle-screen').click();
  await client.question('picker');
});

test('a screen is shared with the keyboard alone', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  // Sound is not asked for where there is none to be had, and its lack is no refusal.
  await share(page, { video: true, audio: true });
  const picker = await client.question('picker');
  await expect(picker.getByRole('radio').first()).toBeFocused();
  await picker.keyboard.press('Space');
  await Promise.all([picker.waitForEvent('close'), picker.keyboard.press('Enter').catch(() => {})]);
  expect(await sharedTracks(page)).toEqual(['live video']);
  const size = await page.evaluate(async () => {
    const stream = (await (globalThis as unknown as SharedPage).shared) as MediaStream;
    const { width, height } = stream.getVideoTracks()[0]?.getSettings() ?? {};
    return [width, height];
  });
  expect(size).toEqual([1600, 1000]);
});

test('who closes the picker shares nothing, and may try again', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  await share(page);
  const picker = await client.question('picker');
  await Promise.all([picker.waitForEvent('close'), picker.keyboard.press('Escape').catch(() => {})]);
  expect(await sharedTracks(page)).toMatch(/^(Abort|NotAllowed)Error$/);
  await share(page);
  await answer((await client.question('picker')).getByRole('button', { name: 'Cancel' }));
  expect(await sharedTracks(page)).toMatch(/^(Abort|NotAllowed)Error$/);
});
