import type { Page } from '@playwright/test';
import { ANNA, BEN, FPS } from '../support/person.js';
import { askForPlace, DTLS, refusalIn, SignalingClient } from '../support/signaling.js';
import { streamOf } from '../support/stats.js';
import { expect, test } from '../support/test.js';

const OVERSIZE = 'x'.repeat(70_000);

test('what a bad client says has its defined error, and the call that it is in does not notice', async ({
  room,
  server,
}) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await anna.sees(BEN);
  await ben.sees(ANNA);
  const frameRates = await Promise.all([frameRateOn(anna.page), frameRateOn(ben.page)]);
  const annasCamera = `${await ben.tile(ANNA).getAttribute('data-participant-id')}-camera`;
  const annasTransport = await anna.page.evaluate(
    () => (globalThis as unknown as { hyperion: { sendTransport: { id: string } } }).hyperion.sendTransport.id,
  );

  await test.step('at the join call', async () => {
    const refusal = async (name: string, body: string) => {
      const { status, body: error } = await askForPlace(server.url, name, body);
      return [status, error.code];
    };
    expect(await refusal('Not%20a%20room', '{}')).toEqual([400, 'bad_request']);
    expect(await refusal(room.name, '{"resumeToken":')).toEqual([400, 'bad_request']);
    expect(await refusal(room.name, '{"resumeToken":"forged"}')).toEqual([401, 'unauthorized']);
    expect(await refusal(room.name, `{"resumeToken":"${OVERSIZE}"}`)).toEqual([413, 'too_large']);
  });

  await test.step('before it has joined', async () => {
    const { body: place } = await askForPlace(server.url, room.name);
    const refusal = async (auth: Record<string, unknown>) =>
      (await SignalingClient.refused(server.url, place.path, auth)).code;
    expect(await refusal({ token: place.token, join: { name: 'Mallory' } })).toBe('bad_request');
    expect(await refusal({ token: 'forged', resume: { seq: 0 } })).toBe('unauthorized');
  });

  const mallory = await SignalingClient.join(server.url, room.name, 'Mallory');
  await expect(anna.page.getByTestId('tile')).toHaveCount(3);

  await test.step('in shapes of its own', async () => {
    expect(await mallory.refusal('nothing', {})).toBe('unknown_request');
    expect(await mallory.refusal('consume', { transportId: 1, producerIds: 'all' })).toBe('bad_request');
    expect(await mallory.refusal('consume', { transportId: OVERSIZE, producerIds: [] })).toBe('too_large');
    for (const args of [[], ['text'], [{ n: 'one' }], [{ n: 9 }, 'more', 'arguments']]) {
      expect(refusalIn(await mallory.emit('leave', ...args)), JSON.stringify(args)).toBe('bad_request');
    }
  });

  await test.step("about somebody else's transport and producer", async () => {
    for (const event of ['pauseProducer', 'resumeProducer', 'closeProducer']) {
      expect(await mallory.refusal(event, { producerId: annasCamera }), event).toBe('not_found');
    }
    const transportId = annasTransport;
    expect(await mallory.refusal('restartIce', { transportId })).toBe('not_found');
    expect(await mallory.refusal('connectWebRtcTransport', { transportId, dtlsParameters: DTLS })).toBe('not_found');
    expect(await mallory.refusal('consume', { transportId, producerIds: [annasCamera] })).toBe('not_found');
    expect(await mallory.refusal('closeConsumer', { consumerId: '00000000000000c1' })).toBe('not_found');
  });

  await test.step('and without measure, which closes its socket', async () => {
    mallory.socket.emit('leave', { n: 99, data: OVERSIZE.repeat(10) });
    await mallory.isClosed();
  });

  for (const frameRate of frameRates) expect(await frameRate()).toBeGreaterThan(FPS * 0.7);
  await anna.sees(BEN);
  await ben.sees(ANNA);
  await ben.hears(ANNA);
});

/** Counts the frames per second of what the page receives from now on. */
async function frameRateOn(page: Page): Promise<() => Promise<number>> {
  const sample = () => streamOf(page, 'inbound-rtp', 'video', 'framesDecoded');
  const before = await sample();
  return async () => {
    const now = await sample();
    return ((now.framesDecoded - before.framesDecoded) * 1000) / (now.timestamp - before.timestamp);
  };
}
