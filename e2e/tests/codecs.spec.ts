import { bothWays, CODECS, codecOf, flows } from '../support/codecs.js';
import { longestGap, watchGaps } from '../support/gaps.js';
import { watchWork } from '../support/page-work.js';
import { ANNA, BEN, CARA } from '../support/person.js';
import { statsOf } from '../support/stats.js';
import { expect, report, test } from '../support/test.js';

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

test('a camera changes to a codec that everybody has when somebody comes who lacks the one it is sent with', async ({
  room,
}) => {
  const anna = await room.join(ANNA, { videoCodec: 'VP9' });
  test.skip(!(await bothWays(anna.page, 'VP9')), 'this browser lacks VP9');
  const cara = await room.join({ ...CARA, refusal: 'NotFoundError' });
  await cara.sees(ANNA);
  expect(await codecOf(cara.page, 'inbound-rtp')).toBe('video/VP9');

  await watchGaps(cara, ANNA);
  const work = await watchWork(cara);
  const ben = await room.join(BEN, { videoCodec: 'VP9', lacks: ['VP9'] });
  const came = Date.now();
  await expect.poll(() => ben.frames(ANNA), { intervals: [20] }).toBeGreaterThan(0);
  const seen = Date.now();
  await Promise.all([ben.sees(ANNA), cara.sees(ANNA), cara.sees(BEN), anna.sees(BEN)]);
  await ben.hears(ANNA);
  report(
    `the picture was there ${seen - came} ms after the room; ${await longestGap(cara)} ms without one for who saw it`,
  );
  expect((await work()).emptyTiles, 'the last picture stays until the next').toBe(0);
  for (const page of [anna.page, ben.page]) await expect.poll(() => codecOf(page, 'outbound-rtp')).toBe('video/VP8');
  await expect(ben.page.getByTestId('tile-problem')).toHaveCount(0);

  // Nothing changes back, so that nobody is without a picture twice.
  await ben.leave();
  await expect(anna.tile(BEN)).toHaveCount(0);
  await cara.sees(ANNA);
  expect(await codecOf(anna.page, 'outbound-rtp')).toBe('video/VP8');
});

test('whoever has no codec in common with the others changes nothing, reads so on the tile, and hears everybody', async ({
  room,
}) => {
  const anna = await room.join(ANNA, { videoCodec: 'VP9' });
  test.skip(!(await bothWays(anna.page, 'VP9')), 'this browser lacks VP9');
  const cara = await room.join(CARA);
  const ben = await room.join({ ...BEN, refusal: 'NotFoundError' }, { lacks: CODECS });
  for (const look of [ANNA, CARA]) {
    await expect(ben.tile(look).getByTestId('tile-problem')).toContainText('lacks the video format');
  }
  await ben.hears(ANNA);
  await Promise.all([cara.sees(ANNA), anna.sees(CARA)]);
  expect(await codecOf(anna.page, 'outbound-rtp')).toBe('video/VP9');

  await anna.page.getByTestId('toggle-camera').click();
  await expect(ben.tile(ANNA).getByTestId('tile-problem')).toHaveCount(0);
});
