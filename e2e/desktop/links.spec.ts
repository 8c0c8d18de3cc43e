import { answer } from './client.js';
import { expect, test } from './test.js';

const link = (server: string, room: string) => `hyperion://${new URL(server).host}/r/${room}`;

test('a link opens its room at the start', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url, args: [link(site.url, 'daily')] });
  await client.page(`${site.url}/r/daily`);
  expect(site.asked).toEqual(['/r/daily']);
});

test('a second instance brings the first to the front, and ends', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  await client.page(site.url);
  const isMinimized = () => client.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isMinimized());
  await client.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.minimize());
  await expect.poll(isMinimized).toBe(true);
  await client.startAgain();
  await expect.poll(isMinimized).toBe(false);
  expect(client.app.windows()).toHaveLength(1);
});

test('a link that is opened while the client runs opens its room there', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  await client.page(site.url);
  await client.startAgain(link(site.url, 'daily'));
  await client.page(`${site.url}/r/daily`);
  expect(client.app.windows()).toHaveLength(1);
});

test('a link to another server asks before anything goes there', async ({ openSite, start }) => {
  const [site, other] = [await openSite(), await openSite()];
  const client = await start({ server: site.url });
  await client.page(site.url);
  await client.startAgain(link(other.url, 'daily'));
  const choose = await client.question('choose');
  await expect(choose.locator('h1')).toHaveText('A link leads to another server');
  await expect(choose.locator('#lead')).toContainText(site.url);
  await expect(choose.getByRole('textbox')).toHaveValue(other.url);
  expect(other.asked).toEqual([]);
  await answer(choose.getByRole('button', { name: 'Cancel' }));
  expect(other.asked).toEqual([]);
  await client.page(site.url);

  await client.startAgain(link(other.url, 'daily'));
  await answer((await client.question('choose')).getByRole('button', { name: 'Connect' }));
  await client.page(`${other.url}/r/daily`);
});

test('what is no link to a room opens none, and no flag comes in by a link', async ({ openSite, start }) => {
  const [site, other] = [await openSite(), await openSite()];
  const client = await start({ server: site.url });
  await client.page(site.url);
  for (const text of [`${link(site.url, 'daily')}/../..`, 'hyperion://', `--server=${other.url}`, 'file:///etc/passwd']) {
    await client.startAgain(text);
  }
  expect(site.asked).toEqual(['/']);
  expect(other.asked).toEqual([]);
});

test('in a meeting a link asks before one leaves, and does nothing for the same room', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url, args: [link(site.url, 'daily')] });
  const page = await client.page(`${site.url}/r/daily`);
  await page.evaluate(() => {
    const { hyperionDesktop } = globalThis as unknown as { hyperionDesktop: { setMeeting(value: unknown): void } };
    hyperionDesktop.setMeeting({ inMeeting: true, micOn: true, room: 'daily' });
  });
  await expect.poll(() => client.menuItem('mute')).toMatchObject({ enabled: true });
  await client.startAgain(link(site.url, 'daily'));
  await client.startAgain(link(site.url, 'weekly'));
  const question = await client.question('switch');
  await expect(question.locator('#lead')).toHaveText('You are in daily. The link that you opened leads to weekly.');
  await expect(question.getByRole('button', { name: 'Stay here' })).toBeFocused();
  await answer(question.getByRole('button', { name: 'Stay here' }));
  expect(site.asked).toEqual(['/r/daily']);

  await client.startAgain(link(site.url, 'weekly'));
  await answer((await client.question('switch')).getByRole('button', { name: 'Leave and open the other' }));
  await client.page(`${site.url}/r/weekly`);
});
