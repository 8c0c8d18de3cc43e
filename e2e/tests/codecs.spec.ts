import { bothWays, CODECS, codecOf, flows } from '../support/codecs.js';
import { ANNA, BEN } from '../support/person.js';
import { statsOf } from '../support/stats.js';
import { expect, test } from '../support/test.js';

for (const codec of CODECS) {
  test(`two people see each other by ${codec}`, async ({ room }) => {
    const anna = await room.join(ANNA, { videoCodec: codec });
    test.skip(!(await bothWays(anna.page, codec)), `this browser lacks ${codec}`);
    // Ben begins in the middle of Anna's stream, so it takes a keyframe that the server finds in it.
    const ben = await room.join(BEN, { videoCodec: codec });
    await ben.sees(ANNA);
    await anna.sees(BEN);
    for (const person of [anna, ben]) await flows(person, codec);
  });
}

test('AV1 with temporal layers is decoded, whose keyframes have long dependency descriptors', async ({ room }) => {
  const anna = await room.join(ANNA, { videoCodec: 'AV1', scalabilityMode: 'L1T3' });
  test.skip(!(await bothWays(anna.page, 'AV1')), 'this browser lacks AV1');
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  const sending = (await statsOf(anna.page, 'sendTransport')).find(
    ({ type, kind }) => type === 'outbound-rtp' && kind === 'video',
  );
  expect(sending?.scalabilityMode).toBe('L1T3');
});

test('whoever lacks a codec reads so on the tile, hears everybody, and sends another', async ({ room }) => {
  const anna = await room.join(ANNA, { videoCodec: 'VP9' });
  const ben = await room.join(BEN, { videoCodec: 'VP9', lacks: 'VP9' });
  await expect(ben.tile(ANNA).getByTestId('tile-problem')).toContainText('lacks the video format');
  await ben.hears(ANNA);
  await anna.sees(BEN);
  expect(await codecOf(anna.page, 'outbound-rtp')).toBe('video/VP9');
  expect(await codecOf(ben.page, 'outbound-rtp')).toBe('video/VP8');

  await anna.page.getByTestId('toggle-camera').click();
  await expect(ben.tile(ANNA).getByTestId('tile-problem')).toHaveCount(0);
});
