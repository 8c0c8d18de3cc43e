import { ANNA, Person } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('every page is in the language of the browser', async ({ room, server }) => {
  const { page } = await room.open(ANNA, { locale: 'de-DE' });
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await expect(page.getByRole('heading', { name: 'Bereit zur Teilnahme?' })).toBeVisible();
  await page.getByTestId('name-input').fill(ANNA.name);
  await page.getByTestId('join').click();
  await expect(page.getByRole('heading', { name: 'Außer Ihnen ist niemand hier' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Mikrofon ausschalten (Strg+D)' })).toBeVisible();
  await page.getByTestId('leave').click();
  await expect(page.getByRole('heading', { name: 'Sie haben das Meeting verlassen' })).toBeVisible();
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: 'Gute Meetings' })).toBeVisible();
  await expect(page.locator('.recent time')).toHaveText(/^\d\d\.\d\d\.\d{4}, \d\d:\d\d$/);
});

test('a language that is picked is there at once, and remembered', async ({ browser, room, server }) => {
  const { page, context } = await Person.open(browser, new URL('/?lang=es', server.url).href, ANNA);
  await expect(page.getByRole('heading', { name: 'Buenas reuniones' })).toBeVisible();
  await page.getByTestId('room-input').fill('a/b?');
  await page.getByTestId('open-room').click();
  await expect(page.getByRole('alert')).toContainText('Usa las letras');

  await page.getByTestId('language').focus();
  await page.getByTestId('language').selectOption('Français');
  await expect(page.getByRole('heading', { name: 'De bonnes réunions' })).toBeVisible();
  await expect(page.getByRole('alert'), 'what was said before is said anew').toContainText('Utilisez les lettres');
  await expect(page.getByTestId('language')).toBeFocused();
  await page.reload();
  await expect(page.getByRole('heading', { name: 'De bonnes réunions' })).toBeVisible();

  // The room's page has the same preferences, and keeps them.
  await page.goto(room.url);
  await page.getByTestId('language').selectOption('简体中文');
  await page.getByTestId('name-input').fill(ANNA.name);
  await page.getByTestId('join').click();
  await expect(page.getByRole('button', { name: '离开会议' })).toBeVisible();
  await page.reload();
  await expect(page.getByRole('button', { name: '离开会议' })).toBeVisible();
  await context.close();
});

test('texts that cannot be fetched are replaced by the English ones', async ({ room }) => {
  const { page } = await room.open(ANNA, { locale: 'de-DE' });
  await page.route(/\/assets\/de-/, (route) => route.abort());
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Ready to join?' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
});

test('in no language is a page wider than a phone', async ({ room, server }) => {
  const { page } = await room.open(ANNA, { viewport: { width: 390, height: 844 } });
  const codes = await page
    .getByTestId('language')
    .locator('option')
    .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value));
  expect(codes).toContain('de');
  for (const code of codes) {
    for (const path of [server.url, room.url]) {
      await page.goto(`${path}?lang=${code}`);
      await expect(page.locator('html')).toHaveAttribute('lang', code);
      await expect(page.locator('h1')).toBeVisible();
      const { wide, window } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth,
        window: innerWidth,
      }));
      expect(wide, page.url()).toBeLessThanOrEqual(window);
    }
  }
});
