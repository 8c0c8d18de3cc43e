import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { losingUp } from '../support/link.js';
import { ANNA, BEN, CARA, DAVID, type Person } from '../support/person.js';
import { PORTRAITS } from '../support/portrait.js';
import { Server } from '../support/server.js';
import { expect, Room, test } from '../support/test.js';

/** In pixels across. */
const FILMED = 640;

const VARIANTS = {
  'wide-dark': { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  'wide-light': { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light' },
} as const;

test('every page fits its window, wide and narrow, dark and light', async ({ browser }) => {
  test.setTimeout(300_000);
  const server = await Server.start('--limits-participants-per-room-max', '3');
  const room = new Room(browser, server, 'weekly-sync');
  const quiet = new Room(browser, server, 'design-review');
  const ben = await room.join(BEN, { portrait: PORTRAITS.Ben });
  const caraLink = await room.link();
  const cara = await room.join(CARA, { portrait: PORTRAITS.Cara, link: caraLink });
  await cara.page.getByTestId('toggle-mic').click();

  for (const [variant, options] of Object.entries(VARIANTS)) {
    await test.step(variant, async () => {
      const portrait = PORTRAITS.Anna;
      const take = (page: Page, name: string) => screenshot(page, `${name}-${variant}`);

      const anna = await room.open({ ...ANNA, tone: 0 }, { ...options, portrait });
      const { page } = anna;
      await page.goto(server.url);
      await expect(page.getByTestId('create-meeting')).toBeVisible();
      await take(page, 'start');

      await page.goto(room.url);
      await page.getByTestId('name-input').fill(ANNA.name);
      await showsVideo(anna);
      await take(page, 'green-room');

      await page.getByTestId('join').click();
      await expect(page.locator('[data-testid="tile"] video')).toHaveCount(3);
      await expect(anna.tile(BEN)).toHaveAttribute('data-speaking', 'true');
      await expect(anna.tile(CARA)).toHaveAttribute('data-muted', 'true');
      await showsVideo(anna);
      await expect(page.locator('.notice')).toHaveCount(0);
      await take(page, 'meeting');

      const david = await room.open(DAVID, options);
      await david.page.getByTestId('name-input').fill(DAVID.name);
      await david.page.getByTestId('join').click();
      await expect(david.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'room_full');
      await take(david.page, 'refused');

      await page.getByTestId('leave').click();
      await expect(page.getByTestId('left-page')).toBeVisible();
      await take(page, 'left');

      const alone = await quiet.join({ ...ANNA, tone: 0 }, { ...options, portrait });
      await expect(alone.page.getByText('You are the only one here')).toBeVisible();
      await showsVideo(alone);
      await take(alone.page, 'alone');

      const denied = await quiet.open({ ...ANNA, refusal: 'NotAllowedError' }, options);
      await expect(denied.page.getByTestId('device-problems')).toBeVisible();
      await take(denied.page, 'denied');
      await alone.leave();
      for (const { context } of [anna, david, denied]) await context.close();
    });
  }
  await test.step('a weak connection', async () => {
    const anna = await room.join({ ...ANNA, tone: 0 }, { ...VARIANTS['wide-dark'], portrait: PORTRAITS.Anna });
    await showsVideo(anna);
    // She is muted: sound is judged over 40 s, which is longer than this should take.
    caraLink.shape = losingUp(0.35);
    for (const variant of ['wide-dark', 'phone'] as const) {
      const { viewport, colorScheme } = VARIANTS[variant];
      await anna.page.setViewportSize(viewport);
      await anna.page.emulateMedia({ colorScheme });
      await expect(anna.tile(BEN)).toHaveAttribute('data-speaking', 'true');
      await expect(anna.tile(CARA).getByText('weak connection')).toBeVisible();
      await screenshot(anna.page, `weak-${variant}`);
    }
    await anna.context.close();
  });
  for (const { context } of [ben, cara]) await context.close();
  await server.stop();
});

/** Waits until every picture on the page runs in the size in which it was filmed. */
async function showsVideo({ page }: Person): Promise<void> {
  const widths = () =>
    page.locator('video').evaluateAll((videos) => videos.map((video) => (video as HTMLVideoElement).videoWidth));
  await expect.poll(async () => new Set(await widths())).toEqual(new Set([FILMED]));
}

async function screenshot(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow, `${name} is wider than its window by`).toBeLessThanOrEqual(0);
  const kept = fileURLToPath(new URL(`../../docs/screenshots/${name}.png`, import.meta.url));
  const path = process.env.HYPERION_SCREENSHOTS === '1' ? kept : test.info().outputPath(`${name}.png`);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path });
}
