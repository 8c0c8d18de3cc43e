import { expect, type Page } from '@playwright/test';
import type { Person } from './person.js';
import { riseOver, type Stat, statsOf, streamOf } from './stats.js';
import { report } from './test.js';

/** The names of the server's video codecs. */
export const CODECS = ['VP8', 'H264', 'VP9', 'AV1'];

const SECONDS = 2;

/** Checks that the person's page sends and receives one video each of this codec, whose frames come. */
export async function flows(person: Person, codec: string): Promise<void> {
  expect(await codecOf(person.page, 'outbound-rtp')).toBe(`video/${codec}`);
  expect(await codecOf(person.page, 'inbound-rtp')).toBe(`video/${codec}`);
  const { sent, decoded } = await framesOver(person, SECONDS);
  report(`${person.look.name} with ${codec}: ${sent} frames/s encoded, ${decoded} decoded`);
  expect(sent).toBeGreaterThan(5);
  expect(decoded).toBeGreaterThan(5);
}

/** Whether the browser encodes and decodes the codec. */
export async function bothWays(page: Page, codec: string): Promise<boolean> {
  return page.evaluate((mimeType) => {
    const lists = [RTCRtpSender.getCapabilities('video'), RTCRtpReceiver.getCapabilities('video')];
    return lists.every((list) => list?.codecs.some((one) => one.mimeType === mimeType));
  }, `video/${codec}`);
}

/** The codec of the one video stream that is sent, or received. */
export async function codecOf(page: Page, type: 'outbound-rtp' | 'inbound-rtp'): Promise<unknown> {
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
