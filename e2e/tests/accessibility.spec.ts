import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { ANNA, BEN } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('axe finds nothing serious on any page, light and dark', async ({ room, server }) => {
  test.setTimeout(180_000);
  const ben = await room.join(BEN);
  const anna = await room.open(ANNA);
  const { page } = anna;
  await page.goto(server.url);
  await passes(page, 'start');
  await page.goto(room.url);
  await passes(page, 'green room');
  await anna.enter();
  await anna.sees(BEN);
  await passes(page, 'meeting');

  await ben.page.getByTestId('toggle-screen').click();
  await expect(anna.screenTile(BEN)).toBeVisible();
  await page.getByTestId('toggle-hand').click();
  await ben.page.getByTestId('toggle-people').click();
  await page.getByTestId('toggle-screen').click();
  await passes(page, 'two screens, and a hand that is raised');
  await page.getByTestId('more').click();
  await expect(page.getByRole('menu')).toBeVisible();
  await passes(page, 'menu');
  await page.keyboard.press('Escape');
  await page.getByTestId('toggle-people').click();
  await passes(page, 'people');
  await page.getByTestId('toggle-chat').click();
  await page.getByRole('textbox').fill('https://example.org and more');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('chat-message')).toBeVisible();
  await passes(page, 'chat');
  await page.keyboard.press('Escape');
  await anna.tile(BEN).getByTestId('quality').click();
  await expect(page.getByTestId('quality-numbers')).toBeVisible();
  await passes(page, 'connection');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await passes(page, 'shortcuts');
  await page.keyboard.press('Escape');
  await page.getByTestId('more').click();
  await page.getByTestId('settings').click();
  await passes(page, 'devices');
  await page.keyboard.press('Escape');

  // The host's tools.
  await expect(ben.page.getByTestId('host-tools')).toBeVisible();
  await passes(ben.page, 'host tools');
  await ben.page.getByTestId('people-list').getByTestId('person-menu').click();
  await passes(ben.page, 'what a host can do to somebody');
  await ben.page.getByTestId('remove').click();
  await passes(ben.page, 'question before somebody is removed');
  await ben.page.getByTestId('confirm').click();
  await expect(page.getByTestId('ended-page')).toBeVisible();
  await passes(page, 'removed');
});

async function passes(page: Page, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light' });
  await settled(page);
  expect(await violations(new AxeBuilder({ page })), name).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  await settled(page);
  // Nothing else differs.
  expect(await violations(new AxeBuilder({ page }).withRules('color-contrast')), `${name}, dark`).toEqual([]);
}

/** What fades in has not its colours yet. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {}))));
}

async function violations(builder: AxeBuilder): Promise<string[]> {
  const { violations } = await builder.analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`);
}
