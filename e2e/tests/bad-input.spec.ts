import type { Page } from '@playwright/test';
import { type Ack, askPlace, Client, open } from '../support/client.js';
import { ANNA, BEN, FPS } from '../support/person.js';
import { streamOf } from '../support/stats.js';
import { expect, test } from '../support/test.js';

const DEFINED = { code: expect.any(String), message: expect.any(String), retryable: expect.any(Boolean) };

test('bad input gets its defined error, and the call beside it does not notice', async ({ room, server }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await anna.sees(BEN);
  await ben.sees(ANNA);
  const frameRates = await Promise.all([frameRateOn(anna.page), frameRateOn(ben.page)]);
  const annaId = await ben.tile(ANNA).getAttribute('data-participant-id');

  await test.step('the join call', async () => {
    expect(await refused(askPlace(server.url, 'Not%20a%20room'))).toEqual([400, 'bad_request']);
    expect(await refused(askPlace(server.url, room.name, { unknown: 1 }))).toEqual([400, 'bad_request']);
    expect(await refused(askPlace(server.url, room.name, '{"resumeToken":'))).toEqual([400, 'bad_request']);
    expect(await refused(askPlace(server.url, room.name, { resumeToken: 7 }))).toEqual([400, 'bad_request']);
    expect(await refused(askPlace(server.url, room.name, { resumeToken: 'forged' }))).toEqual([401, 'unauthorized']);
    expect(await refused(askPlace(server.url, room.name, `"${'x'.repeat(70_000)}"`))).toEqual([413, 'too_large']);
  });

  const place = (await (await askPlace(server.url, room.name)).json()) as { path: string; token: string };
  await test.step('before joining', async () => {
    const socket = open(server.url, place.path, { token: place.token, join: { name: 'Mallory' } });
    const [answer] = await new Promise<[Ack]>((resolve) => socket.once('welcome', (...args) => resolve(args as [Ack])));
    expect(answer).toEqual({ ok: false, error: { ...DEFINED, code: 'bad_request' } });
    socket.disconnect();
    await expect(Client.connect(server.url, place.path, { token: 'forged', resume: { seq: 0 } })).rejects.toMatchObject({
      code: 'unauthorized',
    });
  });

  const mallory = await Client.join(server.url, room.name, 'Mallory');
  await expect(anna.page.getByTestId('tile')).toHaveCount(3);
  const code = async (answer: Promise<Ack>) => {
    const got = await answer;
    expect(got).toEqual({ ok: false, error: DEFINED });
    return got.ok ? 'ok' : got.error.code;
  };

  await test.step('wrong shapes', async () => {
    expect(await code(mallory.request('nothing', {}))).toBe('unknown_request');
    expect(await code(mallory.send('produce', 'text'))).toBe('bad_request');
    expect(await code(mallory.send('produce'))).toBe('bad_request');
    expect(await code(mallory.send('leave', { n: 'one' }))).toBe('bad_request');
    expect(await code(mallory.send('leave', { n: 1 }, 'more', 'arguments'))).toBe('bad_request');
    expect(await code(mallory.request('consume', { transportId: 1, producerIds: 'all' }))).toBe('bad_request');
    expect(await code(mallory.request('consume', { transportId: 'x'.repeat(70_000), producerIds: [] }))).toBe('too_large');
  });

  await test.step("somebody else's", async () => {
    const transport = await anna.page.evaluate(
      () => (globalThis as unknown as { hyperion: { sendTransport: { id: string } } }).hyperion.sendTransport.id,
    );
    for (const request of ['pauseProducer', 'resumeProducer', 'closeProducer']) {
      expect(await code(mallory.request(request, { producerId: `${annaId}-camera` })), request).toBe('not_found');
    }
    expect(await code(mallory.request('restartIce', { transportId: transport }))).toBe('not_found');
    const dtlsParameters = { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: 'AB'.repeat(32).replace(/..(?!$)/g, '$&:') }] };
    expect(await code(mallory.request('connectWebRtcTransport', { transportId: transport, dtlsParameters }))).toBe('not_found');
    expect(await code(mallory.request('consume', { transportId: transport, producerIds: [`${annaId}-camera`] }))).toBe('not_found');
    expect(await code(mallory.request('resumeConsumer', { consumerId: '00000000000000c1' }))).toBe('not_found');
  });

  await test.step('what cannot be', async () => {
    const transportId = mallory.welcome.sendTransport.id;
    const rtpParameters = { mid: '0', codecs: [], headerExtensions: [], encodings: [], rtcp: { cname: 'x' } };
    expect(await code(mallory.request('produce', { transportId, source: 'mic', kind: 'audio', rtpParameters }))).toBe('unsupported_media');
    expect(await code(mallory.request('produce', { transportId, source: 'mic', kind: 'video', rtpParameters }))).toBe('bad_request');
  });

  await test.step('far too large: the socket is closed, and only that one', async () => {
    const closed = new Promise((resolve) => mallory.socket.once('disconnect', resolve));
    mallory.socket.emit('leave', { n: 99, data: 'x'.repeat(1_000_000) });
    await closed;
  });

  await anna.sees(BEN);
  await ben.sees(ANNA);
  await ben.hears(ANNA);
  for (const seen of frameRates) expect(await seen()).toBeGreaterThan(FPS * 0.7);
});

async function refused(answer: Promise<Response>): Promise<[number, string]> {
  const response = await answer;
  const body = (await response.json()) as { code: string };
  expect(body).toEqual(DEFINED);
  return [response.status, body.code];
}

/** Counts the frames per second of what the page receives from now on. */
async function frameRateOn(page: Page): Promise<() => Promise<number>> {
  const sample = () => streamOf(page, 'inbound-rtp', 'video', 'framesDecoded');
  const before = await sample();
  return async () => {
    const now = await sample();
    return ((now.framesDecoded - before.framesDecoded) * 1000) / (now.timestamp - before.timestamp);
  };
}
