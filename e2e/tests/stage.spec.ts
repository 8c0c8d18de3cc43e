import { ANNA, BEN, CARA, type Person } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('whoever speaks, or is pinned, is large; one’s own picture goes where it is wanted', async ({ room }) => {
  const anna = await room.join({ ...ANNA, tone: 0 });
  const ben = await room.join({ ...BEN, speaking: true });
  const cara = await room.join(CARA);
  await cara.page.getByTestId('toggle-mic').click();
  await anna.sees(BEN);

  await choose(anna, 'layout-speaker');
  await expect.poll(() => largest(anna)).toBe('Ben');
  // A tile that becomes small or large keeps its picture.
  await anna.sees(BEN);
  await anna.tile(CARA).hover();
  await anna.tile(CARA).getByTestId('pin').click();
  await expect.poll(() => largest(anna)).toBe('Cara');
  await expect(anna.tile(CARA).getByTestId('pin')).toHaveAccessibleName('Unpin Cara');
  await anna.tile(CARA).getByTestId('pin').click();
  await expect.poll(() => largest(anna)).toBe('Ben');

  await choose(anna, 'self-view-hidden');
  await expect(anna.tile(ANNA)).toHaveCount(0);
  await choose(anna, 'layout-grid');
  await choose(anna, 'self-view-corner');
  await expect(anna.tile(ANNA)).toBeVisible();
  const area = (await anna.tile(ANNA).boundingBox())?.width ?? 0;
  expect(area).toBeLessThan(((await anna.tile(BEN).boundingBox())?.width ?? 0) / 2);

  // It is remembered.
  await anna.page.reload();
  await expect(anna.tile(BEN)).toBeVisible();
  await expect.poll(async () => (await anna.tile(ANNA).boundingBox())?.width ?? 999).toBeLessThan(area + 1);
  await ben.sees(ANNA);
});

test('those who do not fit are on another page, and are received when it is turned', async ({ room }) => {
  const ben = await room.join({ ...BEN, tone: 0 });
  await room.joinCrowd(14);
  const anna = await room.join(ANNA, { viewport: { width: 390, height: 520 } });
  await expect(anna.page.getByTestId('participant-count')).toHaveText('16');
  const tiles = anna.page.getByTestId('tile');
  await expect(anna.page.getByRole('button', { name: 'Next page' })).toBeVisible();
  const shown = await tiles.count();
  expect(shown).toBeLessThan(16);
  await anna.sees(BEN);
  const flowing = async () => {
    const id = await ben.tile(BEN).getAttribute('data-participant-id');
    return anna.page.evaluate(async (producerId) => {
      const meeting = (globalThis as unknown as { hyperion: { quality(id: string): Reader } }).hyperion;
      const reader = meeting.quality(producerId);
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return (await reader.read())?.bitrate ?? 0;
    }, `${id}-camera`);
  };
  expect(await flowing()).toBeGreaterThan(0);
  await anna.page.getByTestId('page-next').click();
  await expect(anna.tile(BEN)).toHaveCount(0);
  await expect(tiles).toHaveCount(Math.min(shown, 16 - shown));
  await expect.poll(flowing, { message: 'nobody looks at it' }).toBe(0);
  await anna.page.getByTestId('page-before').click();
  await anna.sees(BEN);
});

test('the meeting goes on in a small window in front of all others', async ({ room }) => {
  const ben = await room.join({ ...BEN, speaking: true });
  const anna = await room.join({ ...ANNA, tone: 0 });
  await anna.sees(BEN);
  const opened = anna.context.waitForEvent('page');
  await choose(anna, 'small-window');
  const small = await opened;
  await expect(anna.page.getByTestId('stage-away')).toBeVisible();
  const video = small.locator('[data-testid="tile"][data-name="Ben"] video');
  await expect.poll(() => video.evaluate(framesOf), { timeout: 20_000 }).toBeGreaterThan(5);
  await small.getByTestId('toggle-mic').click();
  await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'true');
  await anna.page.getByRole('button', { name: 'Bring it back' }).click();
  await anna.sees(BEN);
});

interface Reader {
  read(): Promise<{ bitrate?: number } | undefined>;
}

async function choose({ page }: Person, testId: string): Promise<void> {
  await page.getByTestId('more').click();
  await page.getByTestId(testId).click();
  await expect(page.getByRole('menu')).toHaveCount(0);
}

async function largest({ page }: Person): Promise<string | undefined> {
  return page.getByTestId('tile').evaluateAll((tiles) => {
    const area = (tile: Element) => tile.clientWidth * tile.clientHeight;
    const [first, second] = tiles.sort((one, other) => area(other) - area(one));
    return first && second && area(first) > 2 * area(second) ? (first as HTMLElement).dataset.name : undefined;
  });
}

function framesOf(video: Element): number {
  return (video as HTMLVideoElement).getVideoPlaybackQuality().totalVideoFrames;
}
