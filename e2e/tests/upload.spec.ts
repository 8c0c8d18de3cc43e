import type { Page } from '@playwright/test';
import { ANNA, BEN, CARA } from '../support/person.js';
import { riseOver, statsOf } from '../support/stats.js';
import { expect, report, test } from '../support/test.js';

const SECONDS = 5;
/** By how much what one person sends may depend on how many receive it. */
const TOLERANCE = 0.15;

test('what a page uploads does not grow with the people in the room', async ({ room }) => {
  const anna = await room.join({ ...ANNA, busy: true });
  const ben = await room.join(BEN);
  await ben.sees(ANNA);
  const withTwo = await uploadOf(anna.page);
  expect(await sendingConnections(anna.page)).toBe(1);

  const cara = await room.join(CARA);
  await cara.sees(ANNA);
  await cara.hears(ANNA);
  const withThree = await uploadOf(anna.page);
  expect(await sendingConnections(anna.page)).toBe(1);

  report(`upload with two people ${kbit(withTwo)}, with three ${kbit(withThree)}`);
  expect(withTwo).toBeGreaterThan(0);
  expect(Math.abs(withThree / withTwo - 1)).toBeLessThan(TOLERANCE);
});

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
