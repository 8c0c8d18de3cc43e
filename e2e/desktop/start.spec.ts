import { answer, pressEverywhere, run } from './client.js';
import { expect, test } from './test.js';

test('the server is asked for once', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start();
  const choose = await client.question('choose');
  await expect(choose.getByRole('textbox', { name: 'Address of the server' })).toBeFocused();
  await choose.keyboard.press('Enter');
  await expect(choose.getByRole('alert')).toHaveText('Type an address.');
  await choose.keyboard.type('http://meet.example.org');
  await choose.keyboard.press('Enter');
  await expect(choose.getByRole('alert')).toHaveText('Servers on other computers are reached by https:// only.');
  await expect(choose.getByRole('textbox')).toHaveAttribute('aria-invalid', 'true');
  await choose.getByRole('textbox').fill(new URL(site.url).host);
  await Promise.all([choose.waitForEvent('close'), choose.keyboard.press('Enter').catch(() => {})]);
  await expect((await client.page(site.url)).locator('h1')).toHaveText('A page');
  await expect.poll(() => client.shown()).toBe(1);

  const again = await start({ profile: await client.quit() });
  await expect((await again.page(site.url)).locator('h1')).toHaveText('A page');
});

test('who closes the question ends the client', async ({ start }) => {
  const client = await start();
  const choose = await client.question('choose');
  await Promise.all([client.app.waitForEvent('close'), choose.keyboard.press('Escape').catch(() => {})]);
});

test('a server that cannot be reached is said to be so, and tried again', async ({ openSite, start }) => {
  const gone = await openSite();
  await gone.close();
  const client = await start({ server: gone.url });
  const unreachable = await client.question('unreachable');
  await expect(unreachable.locator('h1')).toHaveText(`${new URL(gone.url).host} cannot be reached`);
  await expect(unreachable.locator('#reason')).toHaveText('ERR_CONNECTION_REFUSED');
  await expect(unreachable.getByRole('button', { name: 'Try again' })).toBeFocused();
  await answer(unreachable.getByRole('button', { name: 'Try again' }));
  const still = await client.question('unreachable');
  expect(await client.shown()).toBe(1);

  const site = await openSite();
  await answer(still.getByRole('button', { name: 'Choose another server' }));
  const choose = await client.question('choose');
  await choose.getByRole('textbox').fill(site.url);
  await answer(choose.getByRole('button', { name: 'Connect' }));
  await expect((await client.page(site.url)).locator('h1')).toHaveText('A page');
  await expect.poll(() => client.shown()).toBe(1);
});

test('a page that crashes is said to have, and is loaded again', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  await client.page(site.url);
  await client.app.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer(),
  );
  const unreachable = await client.question('unreachable');
  await answer(unreachable.getByRole('button', { name: 'Try again' }));
  await expect.poll(() => site.asked.length).toBe(2);
  await expect.poll(() => client.shown()).toBe(1);
});

test('what is not sent yet is asked about before the window closes', async ({ openSite, start }) => {
  const site = await openSite();
  const client = await start({ server: site.url });
  const page = await client.page(site.url);
  await page.mouse.click(5, 5);
  await page.evaluate(() => addEventListener('beforeunload', (event) => event.preventDefault()));
  const close = () =>
    // The question holds the main process up: nobody waits for it here.
    client.app.evaluate(({ BrowserWindow }) => {
      setTimeout(() => BrowserWindow.getAllWindows()[0]?.close());
    });
  const asked = () => run('xdotool', 'search', '--sync', '--onlyvisible', '--name', '^Hyperion$', 'windowfocus');
  await close();
  await asked();
  await pressEverywhere('Escape');
  expect(await page.evaluate(() => document.title)).toBe('A page');
  await close();
  await asked();
  await pressEverywhere('Tab');
  await Promise.all([client.app.waitForEvent('close'), pressEverywhere('Return')]);
});

test('another server is chosen from the menu; the page before is gone', async ({ openSite, start }) => {
  const [one, other] = [await openSite(), await openSite()];
  const client = await start({ server: one.url });
  await client.page(one.url);
  await client.clickMenuItem('choose-server');
  const choose = await client.question('choose');
  await choose.getByRole('textbox').fill(other.url);
  await answer(choose.getByRole('button', { name: 'Connect' }));
  await client.page(other.url);
  await expect.poll(() => client.app.windows().map((page) => new URL(page.url()).origin)).toEqual([other.url]);
});

for (const [locale, title] of [
  ['de', 'Auf welchem Server treffen Sie sich?'],
  ['fr', 'Sur quel serveur vous réunissez-vous ?'],
  ['es', '¿En qué servidor se reúne?'],
  ['zh-CN', '您在哪个服务器上开会？'],
  ['pt-BR', 'Which server do you meet on?'],
] as const) {
  test(`it speaks the language of the system: ${locale}`, async ({ start }) => {
    const client = await start({ args: [`--lang=${locale}`], env: { LANGUAGE: locale.replace('-', '_') } });
    const choose = await client.question('choose');
    await expect(choose.locator('h1')).toHaveText(title);
    await expect(choose).toHaveTitle(title);
    await expect(choose.locator('html')).toHaveAttribute('lang', locale === 'pt-BR' ? 'en' : locale.slice(0, 2));
  });
}
