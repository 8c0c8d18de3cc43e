import { ANNA, BEN, Person } from '../support/person.js';
import { SignalingClient } from '../support/signaling.js';
import { expect, test } from '../support/test.js';

test('the start page makes a meeting that cannot be guessed, and one joins it by a name', async ({
  browser,
  server,
}) => {
  const anna = await Person.open(browser, server.url, ANNA);
  await anna.page.getByTestId('create-meeting').click();
  await expect(anna.page).toHaveURL(/\/r\/[a-z0-9_-]{20,64}$/);
  const first = anna.page.url();
  await anna.page.getByTestId('name-input').fill(' ');
  await anna.page.getByTestId('join').click();
  await expect(anna.page.getByText('Enter a name so that others know who you are.')).toBeVisible();
  await anna.enter();
  await expect(anna.tile(ANNA)).toBeVisible();
  await expect(anna.page.getByText('You are the only one here')).toBeVisible();
  await expect(anna.page.getByText('This link opens on this computer only.')).toBeVisible();

  // Leaving the page leaves the meeting, and the start page offers it again.
  const ben = await Person.join(browser, first, BEN);
  await expect(ben.tile(ANNA)).toBeVisible();
  await anna.page.goBack();
  await expect(anna.page.getByRole('heading', { name: 'Recent meetings' })).toBeVisible();
  await expect(ben.tile(ANNA)).toHaveCount(0);
  await anna.page.getByTestId('create-meeting').click();
  await expect(anna.page.getByTestId('join')).toBeVisible();
  expect(anna.page.url()).not.toBe(first);
  for (const { context } of [anna, ben]) await context.close();
});

test('a name or a whole link leads to a meeting; what is neither is said to be so', async ({ browser, server }) => {
  const { page, context } = await Person.open(browser, server.url, ANNA);
  const link = new URL('/r/team-sync', server.url).href;
  for (const typed of ['team-sync', link, link.replace('127.0.0.1', 'localhost'), `${link}/`]) {
    await page.getByTestId('room-input').fill(typed);
    await page.getByTestId('open-room').click();
    await expect(page).toHaveURL(/\/r\/team-sync$/);
    await expect(page.getByTestId('name-input')).toBeVisible();
    await page.goto(server.url);
  }
  await page.getByTestId('room-input').fill('a/b?');
  await page.getByTestId('open-room').click();
  await expect(page.getByText('Use the letters a to z, digits, hyphens and underscores')).toBeVisible();
  await page.getByTestId('room-input').fill('https://other.example/r/team-sync');
  await page.getByTestId('open-room').click();
  await expect(page.getByText('That link leads to another server, other.example.')).toBeVisible();
  await page.getByTestId('room-input').fill('x'.repeat(65));
  await page.getByTestId('open-room').click();
  await expect(page.getByText('at most 64 characters')).toBeVisible();
  await page.goto(`${link}/`);
  await expect(page).toHaveURL(link);
  await expect(page.getByTestId('name-input')).toBeVisible();
  for (const [path, status] of [
    ['/r/%E2%82%AC', 200],
    ['/nothing', 404],
    ['/r/', 404],
    ['/r/a/b', 404],
  ] as const) {
    expect((await page.goto(new URL(path, server.url).href))?.status(), path).toBe(status);
    await expect(page.getByText('That link does not lead to a meeting.'), path).toBeVisible();
    await expect(page.getByTestId('create-meeting'), path).toBeVisible();
  }
  await context.close();
});

const REFUSALS = [
  ['NotAllowedError', 'This page may not use your camera and microphone.'],
  ['NotFoundError', 'No camera and no microphone were found.'],
  ['NotReadableError', 'Your camera and microphone are in use by another program.'],
] as const;
for (const [refusal, sentence] of REFUSALS) {
  test(`without devices (${refusal}) the green room says what to do, and lets one in`, async ({ room }) => {
    const anna = await room.open({ ...ANNA, refusal }, { viewport: { width: 390, height: 844 } });
    const problems = anna.page.getByTestId('device-problems');
    await expect(problems).toContainText(sentence);
    await expect(problems).toContainText('You can join without them.');
    await expect(anna.page.getByTestId('join'), 'the way in is on a phone’s first screen').toBeInViewport({ ratio: 1 });
    await anna.enter();
    const ben = await room.join(BEN);
    await anna.sees(BEN);
    await anna.hears(BEN);
    await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'true');
    await expect(ben.tile(ANNA).locator('video')).toHaveCount(0);

    await anna.page.getByTestId('toggle-mic').click();
    await expect(anna.page.getByRole('dialog').getByTestId('device-problems')).toContainText(sentence);
  });
}

test('with the keyboard alone one is in after typing a name, and goes on in the meeting', async ({ room }) => {
  const anna = await room.open(ANNA);
  await expect(anna.page.getByTestId('name-input')).toBeFocused();
  await anna.page.keyboard.type(ANNA.name);
  await anna.page.keyboard.press('Enter');
  await expect(anna.page.getByRole('main')).toBeFocused();
  await anna.page.keyboard.press('Tab');
  await anna.page.keyboard.press('Tab');
  await expect(anna.page.getByRole('button', { name: 'Copy link' }).first()).toBeFocused();
  await anna.page.keyboard.press('Shift+Tab');
  await anna.page.keyboard.press('Enter');
  await expect(anna.page.getByText('You are the only one here')).toHaveCount(0);
  await expect(anna.page.getByRole('main'), 'what had the focus is gone').toBeFocused();
  await anna.page.getByTestId('leave').press('Enter');
  await expect(anna.page.getByRole('heading', { name: 'You left the meeting' })).toBeFocused();
  await anna.page.getByTestId('home').press('Enter');
  await expect(anna.page.getByRole('heading', { name: 'Good meetings' })).toBeFocused();
});

test('at two and four times its size a page has the way in and the controls on the screen', async ({ room }) => {
  const sizes = [
    { width: 320, height: 256 },
    { width: 640, height: 400 },
  ];
  const anna = await room.open(ANNA);
  for (const size of sizes) {
    await anna.page.setViewportSize(size);
    await expect(anna.page.getByTestId('join'), `${size.width}`).toBeInViewport({ ratio: 1 });
  }
  await anna.enter();
  for (const size of sizes) {
    await anna.page.setViewportSize(size);
    for (const control of ['toggle-mic', 'more', 'leave']) {
      await expect(anna.page.getByTestId(control), `${control} at ${size.width}`).toBeInViewport({ ratio: 1 });
    }
  }
});

test('while the browser’s question is unanswered nobody is shown as heard', async ({ room }) => {
  const anna = await room.open(ANNA);
  await anna.page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => new Promise(() => {});
    navigator.permissions.query = async () => ({ state: 'prompt' }) as PermissionStatus;
  });
  await anna.page.reload();
  await expect(anna.page.getByText('Allow camera and microphone in your browser’s question.')).toBeVisible();
  await anna.enter();
  await expect(anna.page.getByTestId('asking')).toBeVisible();
  await expect(anna.tile(ANNA)).toHaveAttribute('data-muted', 'true');
  await expect(anna.page.getByTestId('toggle-mic')).toHaveAttribute('data-on', 'false');
});

for (const viewport of [
  { width: 390, height: 844 },
  { width: 844, height: 390 },
]) {
  const shape = viewport.width < viewport.height ? 'upright' : 'sideways';
  test(`on a phone held ${shape}, who is alone sees themselves beside the link to send`, async ({ room }) => {
    const { page } = await room.join(ANNA, { viewport });
    const card = await page.locator('.alone').boundingBox();
    const tile = await page.getByTestId('tile').boundingBox();
    if (!card || !tile) throw new Error('the card and the tile are there');
    const apart = card.y >= tile.y + tile.height || card.x >= tile.x + tile.width;
    expect(apart, `${JSON.stringify(card)} lies on ${JSON.stringify(tile)}`).toBe(true);
  });
}

test('who left is one click from being back', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await anna.sees(BEN);
  await anna.page.getByTestId('leave').click();
  await expect(anna.page.getByTestId('left-page')).toBeVisible();
  await expect(ben.tile(ANNA)).toHaveCount(0);
  await anna.page.getByTestId('rejoin').click();
  await anna.sees(BEN);
  await ben.sees(ANNA);
  await ben.hears(ANNA);
});

test('a server that cannot be reached is said to be so, and tried again until it can', async ({ room, server }) => {
  const link = await room.link();
  const anna = await room.open(ANNA, { link });
  // Nothing is missing of a page that was opened before: not even on the start page.
  await anna.page.goto(server.url);
  await expect(anna.page.getByTestId('create-meeting')).toBeVisible();
  link.refuseTcp();
  await anna.page.getByTestId('create-meeting').click();
  await expect(anna.page.locator('video')).toBeVisible();
  await anna.page.getByTestId('name-input').fill(ANNA.name);
  await anna.page.getByTestId('join').click();
  const ended = anna.page.getByTestId('ended-page');
  await expect(ended).toHaveAttribute('data-reason', 'unreachable');
  await expect(ended).toContainText('The server cannot be reached');
  await expect(ended).toContainText(/Trying again in \d+ s/);
  await expect(
    ended.getByRole('button', { name: 'Turn off microphone' }),
    'nobody forgets that it is on',
  ).toBeVisible();
  link.mendTcp();
  await expect(anna.page.getByTestId('leave')).toBeVisible();
});

test('a meeting that is opened somewhere else stops here, and can be taken back', async ({ room, server }) => {
  const anna = await room.join(ANNA);
  const resumeToken = await anna.page.evaluate(
    () => (globalThis as unknown as { hyperion: { sessionToken: string } }).hyperion.sessionToken,
  );
  const elsewhere = await SignalingClient.join(server.url, room.name, ANNA.name, { resumeToken });
  await expect(anna.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'superseded');
  await elsewhere.request('leave', {});
  await anna.page.getByTestId('rejoin').click();
  await expect(anna.page.getByTestId('leave')).toBeVisible();
});
