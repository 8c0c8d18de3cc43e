import { ANNA, BEN } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('a reaction and that somebody types are seen by the others for a moment', async ({ room }) => {
  const [anna, ben] = [await room.join(ANNA), await room.join(BEN)];
  await ben.sees(ANNA);
  await anna.page.getByTestId('reactions').click();
  await anna.page.getByTestId('react-celebration').click();
  for (const person of [anna, ben]) {
    await expect(person.tile(ANNA).getByTestId('tile-reaction')).toHaveText('🎉');
  }
  await expect(ben.page.getByText('Anna: Celebration')).toHaveCount(1);
  await expect(ben.tile(ANNA).getByTestId('tile-reaction')).toHaveCount(0, { timeout: 10_000 });

  await anna.page.keyboard.press('Escape');
  await anna.page.getByTestId('toggle-chat').click();
  await ben.page.getByTestId('toggle-chat').click();
  await ben.page.getByTestId('chat-input').pressSequentially('hello');
  await expect(anna.page.getByTestId('typing')).toHaveText('Ben is typing…');
  await ben.page.keyboard.press('Enter');
  await expect(anna.page.getByTestId('chat-message')).toHaveText('hello');
  await expect(anna.page.getByTestId('typing')).toBeEmpty();
});
