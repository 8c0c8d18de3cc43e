import { through } from '../support/link.js';
import { ANNA, BEN, CARA, type Person, type Screen } from '../support/person.js';
import { expect, report, test } from '../support/test.js';

const ANNAS: Screen = { colour: [200, 60, 160], tone: 2200, width: 1920, height: 1080 };
const BENS: Screen = { colour: [60, 170, 170], width: 1280, height: 720 };

test('a screen with its sound is large for everybody until its owner stops', async ({ room }) => {
  const anna = await room.join(ANNA, { screen: ANNAS });
  const ben = await room.join(BEN, { screen: BENS });
  await anna.page.getByTestId('toggle-screen').click();
  await expect(anna.page.getByTestId('sharing-bar')).toContainText('sharing your screen with its sound');

  await ben.seesScreen(ANNA, ANNAS);
  await expect(ben.page.getByText('Anna shares their screen')).toBeVisible();
  expect(await share(ben)).toBeGreaterThan(0.6);
  await expect.poll(() => ben.loudest(ANNA, 'screenAudio'), { timeout: 30_000 }).toBeCloseTo(ANNAS.tone ?? 0, -2);
  await ben.hears(ANNA);
  await ben.sees(ANNA);
  // Who comes later sees it too.
  const cara = await room.join(CARA);
  await cara.seesScreen(ANNA, ANNAS);

  // The newest is the large one; the other stays beside it, and may be made large.
  await ben.page.getByTestId('toggle-screen').click();
  await cara.seesScreen(BEN, BENS);
  await expect(cara.page.getByTestId('stage')).toHaveAttribute('data-main', /-screen$/);
  await cara.screenTile(ANNA).getByTestId('pin').click();
  await cara.seesScreen(ANNA, ANNAS);
  await expect(cara.screenTile(ANNA)).toHaveAttribute('data-pinned', 'true');
  await ben.page.getByTestId('stop-sharing').click();
  await expect(cara.screenTile(BEN)).toHaveCount(0);

  await anna.page.getByTestId('toggle-screen').click();
  for (const person of [ben, cara]) {
    await expect(person.screenTile(ANNA)).toHaveCount(0);
    await expect(person.page.getByTestId('stage')).toHaveAttribute('data-main', '');
  }
  await expect(ben.page.getByText('Anna stopped sharing')).toBeVisible();
  await ben.sees(ANNA);
});

test('a screen goes on after the connection was lost, and ends with a reload', async ({ room }) => {
  const anna = await room.join(ANNA, { screen: ANNAS });
  const ben = await room.join(BEN);
  await anna.page.getByTestId('toggle-screen').click();
  await ben.seesScreen(ANNA, ANNAS);
  await anna.context.setOffline(true);
  await expect(anna.page.getByTestId('connection-banner')).toBeVisible({ timeout: 30_000 });
  await anna.context.setOffline(false);
  await expect(anna.page.getByTestId('connection-banner')).toHaveCount(0);
  await ben.seesScreen(ANNA, ANNAS);
  // Browsers let no page share again without being asked.
  await anna.page.reload();
  await expect(ben.screenTile(ANNA)).toHaveCount(0, { timeout: 20_000 });
  await ben.sees(ANNA);
});

test('text stays sharp on a path that carries few frames', async ({ room }) => {
  await room.join(ANNA, { screen: ANNAS }).then((anna) => anna.page.getByTestId('toggle-screen').click());
  const link = await room.link();
  const network = { delayMs: 25, down: { bps: 600_000, queueMs: 300 } };
  link.shape = through(network);
  const ben = await room.join(BEN, { link, viewport: { width: 1440, height: 900 } });
  await ben.seesScreen(ANNA, ANNAS);
  const frames = () => ben.screenTile(ANNA).locator('video').last().evaluate(decoded);
  await ben.page.waitForTimeout(8_000);
  const [before, since] = [await frames(), Date.now()];
  await ben.page.waitForTimeout(5_000);
  const fps = ((await frames()) - before) / ((Date.now() - since) / 1_000);
  const contrast = await stripes(ben);
  report(`600 kbit/s: ${fps.toFixed(1)} frames/s of 1920x1080, stripes of 2 pixels with ${contrast.toFixed(2)} contrast`);
  expect(contrast).toBeGreaterThan(0.5);
  expect(fps).toBeGreaterThan(1);
  await ben.hears(ANNA);
});

test('the browser’s own picture of a screen is shared', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await anna.page.getByTestId('toggle-screen').click();
  const video = ben.screenTile(ANNA).locator('video').last();
  await expect.poll(() => video.evaluate(decoded), { timeout: 30_000 }).toBeGreaterThan(10);
  // A whole monitor shows this page too, and would show itself in itself.
  await expect(anna.screenTile(ANNA).locator('video')).toHaveCount(0);
  await expect(anna.screenTile(ANNA)).toContainText('You are sharing your screen');
});

/** How much of the stage is taken by the screen that is large. */
async function share(person: Person): Promise<number> {
  const area = async (selector: string) => {
    const box = await person.page.locator(selector).first().boundingBox();
    return (box?.width ?? 0) * (box?.height ?? 0);
  };
  return (await area('[data-testid="screen-tile"]')) / (await area('[data-testid="stage"]'));
}

function decoded(video: Element): number {
  return (video as HTMLVideoElement).getVideoPlaybackQuality().totalVideoFrames;
}

/** How far black and white are apart in the stripes of the screen that is shown, of 0 to 1. */
async function stripes(person: Person): Promise<number> {
  return person.page.locator('[data-testid="screen-tile"] video').last().evaluate((element) => {
    const video = element as HTMLVideoElement;
    const canvas = Object.assign(document.createElement('canvas'), { width: 200, height: 1 });
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no 2d context');
    context.drawImage(video, 800, 100, 200, 1, 0, 0, 200, 1);
    const { data } = context.getImageData(0, 0, 200, 1);
    const lines = [0, 1, 2, 3].map((phase) => {
      const values = Array.from({ length: 50 }, (_, index) => data[(index * 4 + phase) * 4] ?? 0);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
    return (Math.max(...lines) - Math.min(...lines)) / 255;
  });
}
