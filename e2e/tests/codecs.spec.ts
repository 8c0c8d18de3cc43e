import type { Page } from '@playwright/test';
import { ANNA, BEN, type Person } from '../support/person.js';
import { riseOver, type Stat, statsOf, streamOf } from '../support/stats.js';
import { expect, report, test } from '../support/test.js';

const SECONDS = 2;

for (const codec of ['VP8', 'H264', 'VP9', 'AV1']) {
  test(`two people see each other by ${codec}`, async ({ room }) => {
    const anna = await room.join(ANNA, { videoCodec: codec });
    test.skip(!(await bothWays(anna.page, codec)), `this browser lacks ${codec}`);
    // Ben begins in the middle of Anna's stream, so it takes a keyframe that the server finds in it.
    const ben = await room.join(BEN, { videoCodec: codec });
    await ben.sees(ANNA);
    await anna.sees(BEN);
    for (const person of [anna, ben]) {
      expect(await codecOf(person.page, 'outbound-rtp')).toBe(`video/${codec}`);
      expect(await codecOf(person.page, 'inbound-rtp')).toBe(`video/${codec}`);
      const { sent, decoded } = await framesOver(person, SECONDS);
      report(`${person.look.name} with ${codec}: ${sent} frames/s encoded, ${decoded} decoded`);
      expect(sent).toBeGreaterThan(5);
      expect(decoded).toBeGreaterThan(5);
    }
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

/** Whether the browser encodes and decodes the codec. */
async function bothWays(page: Page, codec: string): Promise<boolean> {
  return page.evaluate((mimeType) => {
    const lists = [RTCRtpSender.getCapabilities('video'), RTCRtpReceiver.getCapabilities('video')];
    return lists.every((list) => list?.codecs.some((one) => one.mimeType === mimeType));
  }, `video/${codec}`);
}

/** The codec of the one video stream that is sent, or received. */
async function codecOf(page: Page, type: 'outbound-rtp' | 'inbound-rtp'): Promise<unknown> {
  const stats = await statsOf(page, type === 'outbound-rtp' ? 'sendTransport' : 'recvTransport');
  const of = (wanted: string) => (stat: Stat) => stat.type === wanted && stat.kind === 'video';
  const stream = stats.find(of(type));
  return stats.find((stat) => stat.id === stream?.codecId)?.mimeType;
}

/** Frames per second that the person's page encodes and decodes, in a run for which the machine was fast enough. */
async function framesOver({ page }: Person, seconds: number): Promise<{ sent: number; decoded: number }> {
  const frames = { sent: 0, decoded: 0 };
  await expect(async () => {
    const rise = await riseOver(seconds, async () => {
      const { framesEncoded, timestamp } = await streamOf(page, 'outbound-rtp', 'video', 'framesEncoded');
      const { framesDecoded } = await streamOf(page, 'inbound-rtp', 'video', 'framesDecoded');
      return { framesEncoded, framesDecoded, timestamp };
    });
    const perSecond = (count: number) => Math.round((count * 1000) / rise.timestamp);
    Object.assign(frames, { sent: perSecond(rise.framesEncoded), decoded: perSecond(rise.framesDecoded) });
    const sending = (await statsOf(page, 'sendTransport')).find(
      ({ type, kind }) => type === 'outbound-rtp' && kind === 'video',
    );
    expect(sending?.qualityLimitationReason, 'a run whose encoder lacks CPU says nothing').not.toBe('cpu');
  }).toPass({ timeout: 30_000 });
  return frames;
}
