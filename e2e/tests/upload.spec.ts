import type { Page } from '@playwright/test';
import { ANNA } from '../support/person.js';
import { riseOver, statsOf } from '../support/stats.js';
import { expect, report, test } from '../support/test.js';

const SECONDS = 5;
/** By how much what one person sends may depend on how many receive it. */
const TOLERANCE = 0.15;

test('what a page uploads does not grow with the people in the room', async ({ room }) => {
  const anna = await room.join({ ...ANNA, busy: true });
  const uploads: number[] = [];
  let inRoom = 1;
  for (const people of [2, 5, 10]) {
    await room.joinCrowd(people - inRoom);
    inRoom = people;
    await receivesCameras(anna.page, people - 1);
    const upload = await uploadOf(anna.page);
    report(`upload with ${people} people ${kbit(upload)}`);
    expect(await sendingConnections(anna.page)).toBe(1);
    uploads.push(upload);
  }
  const [withTwo = 0, ...withMore] = uploads;
  expect(withTwo).toBeGreaterThan(0);
  for (const upload of withMore) expect(Math.abs(upload / withTwo - 1)).toBeLessThan(TOLERANCE);
});

/** Waits until pictures of so many cameras are decoded. */
async function receivesCameras(page: Page, cameras: number): Promise<void> {
  const decoded = async () => {
    const stats = await statsOf(page, 'recvTransport');
    const videos = stats.filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return videos.filter(({ framesDecoded }) => Number(framesDecoded) > 10).length;
  };
  await expect.poll(decoded).toBe(cameras);
}

/** Everything that leaves by the page's sending transport, in bits per second, once it is steady. */
async function uploadOf(page: Page): Promise<number> {
  const sent = async () => {
    const transport = (await statsOf(page, 'sendTransport')).find(({ type }) => type === 'transport');
    return { bytesSent: Number(transport?.bytesSent), timestamp: Number(transport?.timestamp) };
  };
  const rate = async (seconds: number) => {
    const { bytesSent, timestamp } = await riseOver(seconds, sent);
    return (bytesSent * 8) / (timestamp / 1000);
  };
  return rate(SECONDS);
}

/** How many of the page's peer connections have sent media. */
async function sendingConnections(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const { peerConnections } = globalThis as unknown as { peerConnections: RTCPeerConnection[] };
    const reports = await Promise.all(peerConnections.map((connection) => connection.getStats()));
    const sends = (report: RTCStatsReport) =>
      [...report.values()].some((stat) => stat.type === 'outbound-rtp' && stat.packetsSent > 0);
    return reports.filter(sends).length;
  });
}

function kbit(rate: number): string {
  return `${Math.round(rate / 1000)} kbit/s`;
}
