import { ANNA, BEN, CARA, DAVID, type Person } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('newcomers wait until a host lets them in, and see and hear nothing before', async ({ room }) => {
  const anna = await room.join(ANNA);
  await anna.page.getByTestId('toggle-people').click();
  await anna.page.getByTestId('setting-lobby').click();
  await expect(anna.page.getByTestId('setting-lobby')).toBeChecked();

  const [ben, cara, david] = [await room.open(BEN), await room.open(CARA), await room.open(DAVID)];
  for (const person of [ben, cara, david]) await waits(person);
  await expect(anna.page.getByText('David wants to be let in')).toBeVisible();
  await expect(anna.page.getByTestId('waiting-person')).toHaveCount(3);
  await expect(anna.page.getByTestId('tile')).toHaveCount(1);
  expect(await ben.page.evaluate(() => document.querySelectorAll('audio, video').length)).toBe(0);

  await admit(anna, 'Ben', 'admit');
  await Promise.all([ben.sees(ANNA), anna.sees(BEN)]);
  await Promise.all([ben.hears(ANNA), anna.hears(BEN)]);
  // Nobody else is told who waits.
  await ben.page.getByTestId('toggle-people').click();
  await expect(ben.page.getByTestId('waiting')).toHaveCount(0);
  await admit(anna, 'Cara', 'deny');
  await expect(cara.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'denied');
  await david.page.getByTestId('stop-waiting').click();
  await expect(david.page.getByTestId('join')).toBeVisible();
  await expect(anna.page.getByTestId('waiting-person')).toHaveCount(0);

  // Whoever was in does not wait again.
  await ben.page.reload();
  await anna.sees(BEN);
  // And a co-host lets people in too.
  const person = anna.page.getByTestId('people-list').locator('[data-testid="person"][data-name="Ben"]');
  await david.page.getByTestId('join').click();
  await expect(david.page.getByTestId('waiting-page')).toBeVisible();
  await person.getByTestId('person-menu').click();
  await anna.page.getByTestId('role-coHost').click();
  await ben.page.getByTestId('toggle-people').click();
  await admit(ben, 'David', 'admit');
  await Promise.all([david.sees(ANNA), anna.sees(DAVID)]);
});

test('who was removed for good has to be let in again, and those who wait are not stuck when the host leaves', async ({
  room,
}) => {
  const [anna, ben] = [await room.join(ANNA), await room.join(BEN)];
  await anna.page.getByTestId('toggle-people').click();
  await anna.page.getByTestId('people-list').getByTestId('person-menu').click();
  await anna.page.getByTestId('remove').click();
  await anna.page.getByTestId('ban').check();
  await anna.page.getByTestId('confirm').click();
  await expect(ben.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'removed');
  await ben.page.getByTestId('rejoin').click();
  await expect(ben.page.getByTestId('waiting-page')).toBeVisible();
  await expect(anna.page.getByTestId('waiting')).toContainText('May be somebody you removed');
  // Nobody is left who could let him in.
  await anna.leave();
  await expect(ben.page.getByTestId('leave')).toBeVisible();
  await ben.page.getByTestId('toggle-people').click();
  await expect(ben.page.getByTestId('end-meeting')).toBeVisible();
});

async function waits({ page, look }: Person): Promise<void> {
  await page.getByTestId('name-input').fill(look.name);
  await page.getByTestId('join').click();
  await expect(page.getByTestId('waiting-page')).toBeVisible();
}

async function admit({ page }: Person, name: string, how: 'admit' | 'deny'): Promise<void> {
  await page.locator(`[data-testid="waiting-person"][data-name="${name}"]`).getByTestId(how).click();
}
