import { ANNA, BEN } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('who speaks while muted is told so, and speaks as long as the space bar is held', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await ben.hears(ANNA);
  const { page } = anna;
  await page.getByTestId('toggle-mic').click();
  await ben.hearsNothingOf(ANNA);
  await expect(page.getByTestId('muted-hint')).toContainText('You are muted');

  // The click left the focus on the button, which a space would press.
  await page.keyboard.down(' ');
  await ben.hears(ANNA);
  await page.keyboard.up(' ');
  await ben.hearsNothingOf(ANNA);
  await expect(page.getByTestId('toggle-mic')).toHaveAttribute('data-on', 'false');

  // Whoever types does not speak.
  await page.getByTestId('toggle-chat').click();
  await page.getByRole('textbox').press('a');
  await page.getByRole('textbox').press(' ');
  await expect(page.getByRole('textbox')).toHaveValue('a ');
  await expect(page.getByTestId('toggle-mic')).toHaveAttribute('data-on', 'false');
});

test('what the browser does to the microphone can be switched, and others go on hearing', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await ben.hears(ANNA);
  const { page } = anna;
  await page.evaluate(() => {
    const asked: MediaTrackConstraints[] = [];
    const { getUserMedia } = navigator.mediaDevices;
    navigator.mediaDevices.getUserMedia = (constraints) => {
      if (typeof constraints?.audio === 'object') asked.push(constraints.audio);
      return getUserMedia.call(navigator.mediaDevices, constraints);
    };
    Object.assign(globalThis, { asked });
  });
  await page.getByTestId('more').click();
  await page.getByTestId('settings').click();
  await page.getByText('Reduce noise').click();
  await expect
    .poll(() => page.evaluate(() => (globalThis as unknown as { asked: MediaTrackConstraints[] }).asked))
    .toMatchObject([{ noiseSuppression: false, echoCancellation: true, autoGainControl: true }]);
  await page.keyboard.press('Escape');
  await ben.hears(ANNA);
  await ben.sees(ANNA);
});

test('the shortcuts are listed, and the connection of each tile in numbers', async ({ room }) => {
  const anna = await room.join(ANNA);
  await room.join(BEN);
  await anna.sees(BEN);
  const { page } = anna;
  await page.keyboard.press('?');
  await expect(page.getByTestId('shortcuts')).toContainText('Speak while held, when muted');
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('shortcuts')).toHaveCount(0);

  await anna.tile(BEN).hover();
  await anna.tile(BEN).getByTestId('quality').click();
  const numbers = page.getByTestId('quality-numbers');
  await expect(numbers).toContainText(/Picture320 × 180, 1\d frames\/s/);
  await expect(numbers).toContainText(/Picture: Bitrate[\d,]+ kbit\/s/);
  await expect(numbers).toContainText(/Sound: Codecopus/);
  await expect(numbers).toContainText(/Round trip\d+ ms/);
  await page.keyboard.press('Escape');
  await expect(numbers).toHaveCount(0);
});
