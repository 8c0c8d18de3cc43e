import { losingUp } from '../support/link.js';
import { ANNA, BEN } from '../support/person.js';
import { expect, report, test } from '../support/test.js';

/** Of all that goes up. */
const LOSS = 0.35;

test('whose network is weak is marked for the others, in words too, until it is good again', async ({ room }) => {
  const link = await room.link();
  const anna = await room.join(ANNA, { link });
  // Sound is judged over 40 s, which is longer than a test should take.
  await anna.page.getByTestId('toggle-mic').click();
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  const tile = ben.tile(ANNA);
  await expect(tile).toHaveAttribute('data-network', 'good');
  await expect(tile).toHaveAccessibleName('Anna, muted');

  const from = Date.now();
  link.shape = losingUp(LOSS);
  await expect(tile).toHaveAttribute('data-network', 'weak');
  await expect(tile).toHaveAccessibleName('Anna, muted, weak connection');
  await expect(tile.getByText('weak connection')).toBeVisible();
  await expect(ben.tile(BEN), 'only hers').toHaveAttribute('data-network', 'good');
  const marked = Date.now();

  link.shape = () => 0;
  await expect(tile).toHaveAttribute('data-network', 'good');
  await expect(tile.getByText('weak connection')).toHaveCount(0);
  report(`marked after ${marked - from} ms of loss, no more ${Date.now() - marked} ms after it`);
});
