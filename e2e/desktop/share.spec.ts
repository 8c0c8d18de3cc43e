import type { Page } from '@playwright/test';
import { ANNA, BEN, Person } from '../support/person.js';
import { answer, type Client } from './client.js';
import { expect, test } from './test.js';

interface SharedPage {
  hyperion: {
    publish(source: string, track: MediaStreamTrack): void;
    view(producerId: string, width: number): void;
    participants: { media: { screen?: { producerId: string; track?: MediaStreamTrack } } }[];
  };
  shared: Promise<MediaStream | string>;
}

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
async function openColour(client: Client, title: string, colour: string): Promise<void> {
  await client.app.evaluate(
    async ({ BrowserWindow }, { title, colour }) => {
      const window = new BrowserWindow({ width: 640, height: 480 });
      await window.loadURL(`data:text/html,<title>${title}</title><body style="background:${colour}">`);
    },
    { title, colour },
  );
}

/** The colour in the middle of what somebody in the room shares, as the page receives it. */
async function seenOfScreen(page: Page): Promise<number[]> {
  return page.evaluate(async () => {
    const { hyperion } = globalThis as unknown as SharedPage;
    const screen = hyperion.participants.map(({ media }) => media.screen).find((media) => media?.track);
    if (!screen?.track) return [];
    hyperion.view(screen.producerId, 1280);
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = new MediaStream([screen.track]);
    await video.play();
    const context = document.createElement('canvas').getContext('2d');
    context?.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
    const pixel = [...(context?.getImageData(0, 0, 1, 1).data.slice(0, 3) ?? [])];
    video.srcObject = null;
    return pixel.map((value) => Math.round(value / 64));
  });
}

test('a window is shared by the picker, and the others see it', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  const anna = await Person.at(await client.page(room.server.url), room.url, ANNA);
  await anna.enter();
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  await openColour(client, 'A window of blue', 'blue');

  await share(anna.page);
  const picker = await client.question('picker');
  await expect(picker.locator('h1')).toHaveText('What do you want to share?');
  await expect(picker.getByRole('group', { name: 'Screens' }).getByRole('radio')).not.toHaveCount(0);
  await expect(picker.getByRole('radio').first()).toBeFocused();
  await expect(picker.getByRole('button', { name: 'Share' })).toBeDisabled();
  const blue = picker.getByRole('group', { name: 'Windows' }).getByRole('radio', { name: 'A window of blue' });
  await blue.check({ force: true });
  await answer(picker.getByRole('button', { name: 'Share' }));
  expect(await sharedTracks(anna.page)).toEqual(['live video']);

  await anna.page.evaluate(async () => {
    const { hyperion, shared } = globalThis as unknown as SharedPage;
    const stream = await shared;
    if (typeof stream === 'string') throw new Error(stream);
    for (const track of stream.getVideoTracks()) hyperion.publish('screen', track);
  });
  await expect.poll(() => seenOfScreen(ben.page), { timeout: 30_000 }).toEqual([0, 0, 4]);
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
