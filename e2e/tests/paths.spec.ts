import type { Page } from '@playwright/test';
import { ANNA, BEN, meet } from '../support/person.js';
import { Server } from '../support/server.js';
import { pathOf } from '../support/stats.js';
import { expect, Room, report, test } from '../support/test.js';

// Other ways for media than UDP by IPv4 between two addresses that stay.

/** A browser looks after a path that works every 2.5 s. */
const MOVED_MS_MAX = 15_000;
const RESTARTED_MS_MAX = 30_000;

test('where UDP is blocked media takes TCP, and does so again after that was cut', async ({ room }) => {
  test.setTimeout(150_000);
  const link = await room.link();
  link.blockUdp();
  const anna = await room.join(ANNA, { link });
  const ben = await room.join(BEN);
  await meet(anna, ben);
  expect(await protocolsOf(anna.page)).toEqual(['tcp', 'tcp']);
  expect(await protocolsOf(ben.page)).toEqual(['udp', 'udp']);

  const before = await credentialsOf(anna.page);
  link.refuseTcp();
  const cut = Date.now();
  await anna.page.waitForTimeout(3_000);
  link.mendTcp();
  await expect.poll(() => unchanged(anna.page, before), { timeout: RESTARTED_MS_MAX }).toEqual([]);
  await meet(anna, ben);
  report(`seen and heard again ${Date.now() - cut} ms after TCP was cut for 3 s`);
  expect(await protocolsOf(anna.page)).toEqual(['tcp', 'tcp']);
});

test('a path that is lost while the socket is there is restarted', async ({ room }) => {
  test.setTimeout(120_000);
  const link = await room.link();
  const anna = await room.join(ANNA, { link });
  const ben = await room.join(BEN);
  await meet(anna, ben);
  const before = await credentialsOf(anna.page);
  link.shape = () => 'lost';
  await expect.poll(() => unchanged(anna.page, before), { timeout: RESTARTED_MS_MAX }).toEqual([]);
  link.shape = () => 0;
  const mended = Date.now();
  await meet(anna, ben);
  report(`seen and heard again within ${Date.now() - mended} ms`);
});

test('whoever goes on from another address without a word is followed', async ({ room }) => {
  const link = await room.link();
  const anna = await room.join(ANNA, { link });
  const ben = await room.join(BEN);
  await meet(anna, ben);
  const before = await credentialsOf(anna.page);
  const moves = async (viewer: typeof anna, of: typeof anna) => {
    const start = await viewer.frames(of.look);
    const seen = async () => (await viewer.frames(of.look)) - start;
    await expect.poll(seen, { intervals: [50], timeout: MOVED_MS_MAX }).toBeGreaterThan(10);
  };

  // Nothing can be said by the socket meanwhile.
  link.hangTcp();
  await link.moveUdp();
  const moved = Date.now();
  await Promise.all([moves(anna, ben), moves(ben, anna)]);
  report(`${Date.now() - moved} ms after the address changed both pictures move`);
  link.mendTcp();
  await meet(anna, ben);
  expect(await credentialsOf(anna.page), 'ICE was not restarted').toEqual(before);
});

test('a server that has IPv6 only', async ({ browser }, { testId }) => {
  const server = await Server.start('--listen', '[::1]:0', '--announce', '::1');
  const room = new Room(browser, server, testId);
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await meet(anna, ben);
  for (const { page } of [anna, ben]) {
    for (const transport of ['sendTransport', 'recvTransport'] as const) {
      expect(await pathOf(page, transport)).toMatch(/^udp \[?::1\]?$/);
    }
  }
  await room.close();
  await server.stop();
});

/** What each of the page's transports comes by. */
async function protocolsOf(page: Page): Promise<string[]> {
  const paths = await Promise.all([pathOf(page, 'sendTransport'), pathOf(page, 'recvTransport')]);
  return paths.map((path) => path.slice(0, 3));
}

/** Each connection's own ICE username fragment, which a restart replaces. */
async function credentialsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { peerConnections } = globalThis as unknown as { peerConnections: RTCPeerConnection[] };
    const open = peerConnections.filter(({ connectionState }) => connectionState !== 'closed');
    return open.map(({ localDescription }) => /a=ice-ufrag:(\S+)/.exec(localDescription?.sdp ?? '')?.[1] ?? '');
  });
}

async function unchanged(page: Page, before: string[]): Promise<string[]> {
  const now = await credentialsOf(page);
  return now.filter((credentials) => before.includes(credentials));
}
