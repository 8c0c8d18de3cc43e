import { Cluster } from '../support/cluster.js';
import { ANNA, BEN, CARA, DAVID, joinAll, type Look, Person } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('a host’s word holds on every node, and outlives the node that it was given on', async ({ browser }) => {
  test.setTimeout(180_000);
  const cluster = await Cluster.start({ flags: ['--limits-participants-per-room-and-node=1'] });
  try {
    // Each on a node of their own.
    const url = new URL('/r/team', cluster.url).href;
    const [anna, ben, cara] = await joinAll(browser, url, [ANNA, BEN, CARA]);
    await cara.page.getByTestId('toggle-hand').click();
    await expect(anna.tile(CARA)).toHaveAttribute('data-hand', 'true');
    await ben.page.getByTestId('reactions').click();
    await ben.page.getByTestId('react-applause').click();
    for (const person of [anna, cara]) await expect(person.tile(BEN).getByTestId('tile-reaction')).toHaveText('👏');

    await anna.page.getByTestId('toggle-people').click();
    await anna.page.getByTestId('setting-mic').click();
    await expect(ben.page.getByText('Anna keeps participants muted')).toBeVisible();
    await cara.hearsNothingOf(BEN);
    await ben.hears(ANNA);
    await anna.page.getByTestId('setting-lobby').click();
    await expect(anna.page.getByTestId('setting-lobby')).toBeChecked();

    // The host's node dies. She is the host all the same.
    await cluster.kill('node-1');
    await expect(anna.page.getByTestId('connection-banner')).toHaveCount(0, { timeout: 30_000 });
    await ben.hears(ANNA);
    await cara.hearsNothingOf(BEN);
    const david = await Person.open(browser, url, DAVID);
    await david.page.getByTestId('name-input').fill(DAVID.name);
    await david.page.getByTestId('join').click();
    await expect(david.page.getByTestId('waiting-page')).toBeVisible({ timeout: 30_000 });
    await anna.page.locator('[data-testid="waiting-person"]').getByTestId('admit').click();
    await Promise.all([david.sees(CARA), ben.sees(DAVID)]);
    await anna.page.getByTestId('setting-mic').click();
    await ben.page.getByTestId('toggle-mic').click();
    await cara.hears(BEN);

    await act(anna, BEN, 'remove');
    await anna.page.getByTestId('confirm').click();
    await expect(ben.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'removed');
    await expect(cara.tile(BEN)).toHaveCount(0);
    await anna.page.getByTestId('end-meeting').click();
    await anna.page.getByTestId('confirm').click();
    for (const { page } of [anna, cara, david]) {
      await expect(page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'meeting_ended');
    }
  } finally {
    await cluster.stop();
  }
});

async function act({ page }: Person, { name }: Look, what: string): Promise<void> {
  const person = page.getByTestId('people-list').locator(`[data-testid="person"][data-name="${name}"]`);
  await person.getByTestId('person-menu').click();
  await page.getByTestId(what).click();
}
