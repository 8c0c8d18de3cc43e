// docs/signaling.md, step by step, with nothing but socket.io-client and fetch.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect, test } from '@playwright/test';
import { Server } from '../support/server.js';
import {
  askForPlace,
  askForReturn,
  DTLS,
  microphone,
  refusalIn,
  SignalingClient,
  type TransportOptions,
} from '../support/signaling.js';

const HEX = /^[0-9a-f]{16}$/;
const ANYBODY = { role: 'participant', hand: null, producers: [], dataProducers: [] };
const TRANSPORT = {
  id: expect.stringMatching(HEX),
  iceParameters: { usernameFragment: expect.any(String), password: expect.any(String), iceLite: true },
  iceCandidates: expect.any(Array),
  dtlsParameters: {
    role: 'auto',
    fingerprints: [{ algorithm: 'sha-256', value: expect.stringMatching(/^(..:){31}..$/) }],
  },
};

let server: Server;
let origin: string;
test.beforeAll(async () => {
  server = await Server.start();
  origin = new URL(server.url).origin;
});
test.afterAll(async () => {
  await server.stop();
});

/** A room's name for each test. */
const roomOf = () => test.info().testId;
const join = (name: string, options = {}) => SignalingClient.join(origin, roomOf(), name, options);
const publish = (client: SignalingClient, ssrc: number, paused = false) =>
  client.request('produce', { ...microphoneOf(client, ssrc), paused });

function microphoneOf(client: SignalingClient, ssrc: number) {
  const transportId = client.welcome.sendTransport?.id;
  return { transportId, source: 'mic', kind: 'audio', rtpParameters: microphone(ssrc) };
}

test('the join call says where to go and what to bring', async () => {
  for (const body of ['{}', null]) {
    const { status, body: place } = await askForPlace(origin, roomOf(), body);
    expect(status).toBe(200);
    expect(place).toEqual({
      node: 'single',
      path: '/socket.io/',
      token: expect.any(String),
      iceServers: [],
      routerRtpCapabilities: { codecs: expect.any(Array), headerExtensions: expect.any(Array) },
    });
    const { codecs } = place.routerRtpCapabilities;
    expect(codecs.map(({ mimeType, preferredPayloadType }) => [mimeType, preferredPayloadType])).toEqual([
      ['audio/opus', 100],
      ['video/VP8', 101],
      ['video/rtx', 102],
      ['video/H264', 103],
      ['video/rtx', 104],
      ['video/VP9', 105],
      ['video/rtx', 106],
      ['video/AV1', 107],
      ['video/rtx', 108],
    ]);
  }
});

test('the join call refuses what is wrong with it', async () => {
  const refusals: [room: string, body: string, headers: object, status: number, code: string][] = [
    ['Daily', '{}', {}, 400, 'bad_request'],
    ['r'.repeat(65), '{}', {}, 400, 'bad_request'],
    [roomOf(), '{"later":1}', {}, 400, 'bad_request'],
    [roomOf(), '[]', {}, 400, 'bad_request'],
    [roomOf(), '{"resumeToken":"forged"}', {}, 401, 'unauthorized'],
    [roomOf(), ' '.repeat(64 * 1024 + 1), {}, 413, 'too_large'],
    [roomOf(), '{}', { origin: 'http://elsewhere.example' }, 403, 'forbidden'],
  ];
  for (const [room, body, headers, status, code] of refusals) {
    const answer = await askForPlace(origin, room, body, headers);
    expect({ status: answer.status, body: answer.body }, body.slice(0, 40)).toEqual({
      status,
      body: { code, message: expect.any(String), retryable: false },
    });
  }
  const own = await askForPlace(origin, roomOf(), '{}', { origin });
  expect(own.headers.get('access-control-allow-origin')).toBe(origin);
});

for (const by of ['websocket', 'polling'] as const) {
  test(`join, publish, consume, leave: by ${by}`, async () => {
    const anna = await join('Anna', { by });
    const me = anna.welcome.participantId;
    expect(anna.welcome).toEqual({
      participantId: expect.stringMatching(HEX),
      sessionToken: expect.any(String),
      room: {
        roomId: roomOf(),
        seq: expect.any(Number),
        participants: [{ ...ANYBODY, id: me, name: 'Anna', role: 'host' }],
        videoCodecs: ['video/VP8', 'video/H264', 'video/VP9', 'video/AV1'],
        chat: [],
        settings: { locked: false, mic: true, camera: true, screen: true, chat: true },
      },
      sendTransport: TRANSPORT,
      recvTransport: TRANSPORT,
    });
    expect(anna.welcome.sendTransport?.iceCandidates[0]).toMatchObject({ protocol: 'udp', type: 'host' });
    const mic = `${me}-mic`;
    expect(await publish(anna, 1, true)).toEqual({ id: mic });

    const ben = await join(' Ben ', { by });
    await anna.hears('participantJoined', {
      participant: { ...ANYBODY, id: ben.welcome.participantId, name: 'Ben' },
    });
    expect(ben.welcome.room.participants).toEqual([
      { ...ANYBODY, id: me, name: 'Anna', role: 'host', producers: [{ id: mic, kind: 'audio', paused: true }] },
      { ...ANYBODY, id: ben.welcome.participantId, name: 'Ben' },
    ]);
    const { consumers } = await ben.request<{ consumers: { id: string }[] }>('consume', {
      transportId: ben.welcome.recvTransport?.id,
      producerIds: [mic, `${me}-camera`],
    });
    expect(consumers).toEqual([
      {
        id: expect.stringMatching(HEX),
        producerId: mic,
        kind: 'audio',
        streamId: expect.any(String),
        rtpParameters: expect.objectContaining({
          mid: expect.any(String),
          codecs: [expect.objectContaining({ mimeType: 'audio/opus', payloadType: 100 })],
          encodings: [{ ssrc: expect.any(Number) }],
        }),
      },
      { producerId: `${me}-camera`, error: expect.objectContaining({ code: 'not_found' }) },
    ]);
    const consumerId = consumers[0]?.id;
    const transportId = ben.welcome.recvTransport?.id;
    expect(await ben.request('connectWebRtcTransport', { transportId, dtlsParameters: DTLS })).toEqual({});
    expect(await ben.refusal('connectWebRtcTransport', { transportId, dtlsParameters: DTLS })).toBe('wrong_state');
    for (const event of ['resumeConsumer', 'pauseConsumer', 'resumeConsumer']) {
      expect(await ben.request(event, { consumerId })).toEqual({});
    }

    expect(await anna.request('resumeProducer', { producerId: mic })).toEqual({});
    await ben.hears('producerResumed', { producerId: mic });
    expect(await anna.request('pauseProducer', { producerId: mic })).toEqual({});
    await ben.hears('producerPaused', { producerId: mic });
    expect(await publish(anna, 2)).toEqual({ id: mic });
    await ben.hears('producerAdded', { participantId: me, producer: { id: mic, kind: 'audio', paused: false } });
    expect(ben.heard('consumerClosed'), 'a replaced source keeps its consumers').toEqual([]);
    expect(await anna.request('closeProducer', { producerId: mic })).toEqual({});
    await ben.hears('producerClosed', { producerId: mic });
    // That ends the consumer too, without another word.
    expect(await ben.refusal('resumeConsumer', { consumerId })).toBe('not_found');
    expect(ben.heard('consumerClosed')).toEqual([]);
    // Who did it hears of it as everybody does.
    await anna.hears('producerClosed', { producerId: mic });

    expect(await anna.request('leave', {})).toEqual({});
    await anna.isClosed();
    await ben.hears('participantLeft', { participantId: me });
    const numbers = ben.notifications.flatMap(([, { seq }]) => seq ?? []);
    expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a) - Number(b)));
    const over = { token: anna.welcome.sessionToken, resume: { seq: anna.seq } };
    expect((await SignalingClient.refused(origin, anna.path, over)).code).toBe('session_expired');
    ben.socket.disconnect();
  });
}

test('everybody is told which video codecs all in the room can receive', async () => {
  const all = ['video/VP8', 'video/H264', 'video/VP9', 'video/AV1'];
  const anna = await join('Anna');
  expect(anna.welcome.room.videoCodecs).toEqual(all);
  const ben = await join('Ben', { lacks: 'video/VP9' });
  const common = all.filter((codec) => codec !== 'video/VP9');
  expect(ben.welcome.room.videoCodecs).toEqual(common);
  await anna.hears('videoCodecsChanged', { videoCodecs: common });
  await ben.request('leave', {});
  await anna.hears('videoCodecsChanged', { videoCodecs: all });
  for (const { socket } of [anna, ben]) socket.disconnect();
});

test('transports are replaced, and get new credentials', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  await publish(anna, 1);
  const producerIds = [`${anna.welcome.participantId}-mic`];
  await ben.request('consume', { transportId: ben.welcome.recvTransport?.id, producerIds });

  const first = anna.welcome.sendTransport?.id;
  const second = await anna.request<TransportOptions>('createWebRtcTransport', { direction: 'send' });
  expect(second).toEqual(TRANSPORT);
  expect(await anna.refusal('restartIce', { transportId: first })).toBe('not_found');
  const restarted = await anna.request<TransportOptions>('restartIce', { transportId: second.id });
  expect(restarted).toEqual({ iceParameters: TRANSPORT.iceParameters });
  expect(restarted.iceParameters).not.toEqual(second.iceParameters);

  await anna.request('produce', { ...microphoneOf(anna, 2), transportId: second.id });
  await expect.poll(() => ben.heard('producerAdded').length).toBe(2);
  expect([...ben.heard('producerClosed'), ...ben.heard('consumerClosed')]).toEqual([]);
  for (const client of [anna, ben]) client.socket.disconnect();
});

test('CONNECT refuses what is wrong with it', async () => {
  const { body: place } = await askForPlace(origin, roomOf());
  const { path, token, routerRtpCapabilities: rtpCapabilities } = place;
  const enter = { name: 'Anna', rtpCapabilities };
  for (const [auth, code] of [
    [{ token: 'forged', join: enter }, 'unauthorized'],
    [{ token, resume: { seq: 0 } }, 'unauthorized'],
    [{ token }, 'bad_request'],
    [{ token, join: enter, resume: { seq: 0 } }, 'bad_request'],
    [{ token, join: enter, later: 1 }, 'bad_request'],
    [{ token, join: { ...enter, name: '  ' } }, 'bad_request'],
    [{ token, join: { ...enter, name: 'n'.repeat(129) } }, 'bad_request'],
  ] as const) {
    expect((await SignalingClient.refused(origin, path, auth)).code).toBe(code);
  }
});

test('every wrong request is acknowledged with its code, and the session goes on', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  await publish(anna, 1);
  const producerId = `${anna.welcome.participantId}-mic`;
  const transportId = anna.welcome.sendTransport?.id;
  const n = 1;
  for (const [code, event, ...args] of [
    ['unknown_request', 'dance', { n, data: {} }],
    ['bad_request', 'restartIce'],
    ['bad_request', 'restartIce', { data: { transportId } }],
    ['bad_request', 'restartIce', { n: 0, data: { transportId } }],
    ['bad_request', 'restartIce', { n: '1', data: { transportId } }],
    ['bad_request', 'restartIce', { n, data: {} }],
    ['bad_request', 'restartIce', { n, data: { transportId: 7 } }],
    ['bad_request', 'restartIce', { n, data: [transportId] }],
    ['bad_request', 'restartIce', { n, data: { transportId }, later: 1 }],
    ['bad_request', 'restartIce', { n, data: { transportId } }, 'more'],
    ['bad_request', 'restartIce', [n, { transportId }]],
    ['bad_request', 'restartIce', { n, data: Buffer.from('binary') }],
    ['bad_request', 'consume', { n, data: { transportId, producerIds: Array(101).fill(producerId) } }],
    ['too_large', 'consume', { n, data: { transportId, producerIds: ['x'.repeat(65 * 1024)] } }],
    // Somebody else's.
    ['not_found', 'restartIce', { n: 1, data: { transportId } }],
    ['not_found', 'connectWebRtcTransport', { n: 2, data: { transportId, dtlsParameters: DTLS } }],
    ['not_found', 'pauseProducer', { n: 3, data: { producerId } }],
    ['not_found', 'closeProducer', { n: 4, data: { producerId } }],
    ['not_found', 'resumeConsumer', { n: 5, data: { consumerId: '00000000000000c1' } }],
    // Its own, and unfit.
    ['bad_request', 'produce', { n: 6, data: { ...microphoneOf(ben, 9), source: 'camera' } }],
    [
      'unsupported_media',
      'produce',
      { n: 7, data: { ...microphoneOf(ben, 9), rtpParameters: { codecs: [], encodings: [] } } },
    ],
    ['not_found', 'produce', { n: 8, data: { ...microphoneOf(ben, 9), transportId: ben.welcome.recvTransport?.id } }],
  ] as const) {
    expect(refusalIn(await ben.emit(event, ...args)), `${event} ${JSON.stringify(args).slice(0, 80)}`).toBe(code);
  }
  ben.n = 8;
  await publish(ben, 2);
  await anna.hears('producerAdded', { participantId: ben.welcome.participantId });
  expect(anna.heard('producerClosed')).toEqual([]);
  for (const client of [anna, ben]) client.socket.disconnect();
});

test('a request before the welcome is not_joined, a beat is answered: on the wire', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const packets: string[] = [];
  socket.addEventListener('message', ({ data }) => packets.push(String(data)));
  await once(socket, 'open');
  socket.send('420["leave",{"n":1}]');
  socket.send('421["beat"]');
  const acknowledgements = () => packets.filter((packet) => packet.startsWith('43'));
  await expect
    .poll(acknowledgements)
    .toEqual([
      expect.stringMatching(/^430\[{"ok":false,"error":{"code":"not_joined",.*}}]$/),
      '431[{"ok":true,"data":{}}]',
    ]);
  socket.close();
});

test('a beat needs no number and changes none', async () => {
  const anna = await join('Anna');
  expect(await anna.emit('beat')).toEqual({ ok: true, data: {} });
  expect(await anna.request('restartIce', { transportId: anna.welcome.sendTransport?.id }, 1)).toBeTruthy();
  anna.socket.disconnect();
});

test('a repeated number gets the same answer and is not carried out again', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  const transport = await anna.request<TransportOptions>('createWebRtcTransport', { direction: 'recv' });
  expect(await anna.request('createWebRtcTransport', { direction: 'recv' }, 1)).toEqual(transport);
  const unknown = { consumerId: '00000000000000ff' };
  expect(await anna.request('closeConsumer', unknown, 1), 'the number alone counts').toEqual(transport);
  const produced = await publish(anna, 1);
  expect(await anna.request('produce', microphoneOf(anna, 1), 2)).toEqual(produced);
  expect(await anna.refusal('closeConsumer', unknown)).toBe('not_found');
  expect(await anna.refusal('createWebRtcTransport', { direction: 'recv' }, 3)).toBe('not_found');
  await ben.hears('producerAdded', { participantId: anna.welcome.participantId });

  const restart = (n?: number) => anna.request('restartIce', { transportId: transport.id }, n);
  for (let i = 0; i < 64; i += 1) await restart();
  expect(await anna.refusal('createWebRtcTransport', { direction: 'recv' }, 3), 'no outcome is kept').toBe('not_found');
  for (let i = 0; i < 64; i += 1) await anna.refusal('closeConsumer', unknown);
  expect(await anna.refusal('createWebRtcTransport', { direction: 'recv' }, 3)).toBe('request_expired');
  expect(await restart(3)).toHaveProperty('iceParameters');
  expect(ben.heard('producerAdded')).toHaveLength(1);

  expect(await anna.request('leave', {}, 1), 'who wants to go, goes').toEqual({});
  await anna.isClosed();
  await ben.hears('participantLeft', { participantId: anna.welcome.participantId });
  ben.socket.disconnect();
});

test('a broken socket: the session goes on where it was, and nobody sees it', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  const produced = await publish(anna, 1);
  await publish(ben, 2);
  const { consumers } = await anna.request<{ consumers: { id: string }[] }>('consume', {
    transportId: anna.welcome.recvTransport?.id,
    producerIds: [`${ben.welcome.participantId}-mic`],
  });
  const consumerId = consumers[0]?.id;
  anna.breakSocket();
  await ben.request('pauseProducer', { producerId: `${ben.welcome.participantId}-mic` });

  const back = await anna.resume();
  expect(back.welcome).toEqual({
    participantId: anna.welcome.participantId,
    sessionToken: expect.any(String),
    room: expect.objectContaining({ roomId: roomOf() }),
  });
  expect(back.welcome.room.participants[1]?.producers).toMatchObject([{ paused: true }]);
  expect(back.welcome.sessionToken).not.toBe(anna.welcome.sessionToken);

  // The welcome may be lost on its way: until a request shows that it was not, the token before it is good as well.
  const again = await anna.resume();
  expect(await again.request('resumeConsumer', { consumerId })).toEqual({});
  const used = { token: anna.welcome.sessionToken, resume: { seq: anna.seq } };
  expect((await SignalingClient.refused(origin, anna.path, used)).code).toBe('superseded');

  // The count goes on: the first request's outcome is still known by its number.
  const repeated = await again.emit('produce', { n: 1, data: microphoneOf(anna, 1) });
  expect(repeated).toEqual({ ok: true, data: produced });
  expect(ben.heard('participantJoined')).toEqual([]);
  expect(ben.heard('participantLeft')).toEqual([]);
  for (const client of [again, ben]) client.socket.disconnect();
});

test('where to come back to is asked without using the token up', async () => {
  const anna = await join('Anna');
  const { sessionToken } = anna.welcome;
  anna.breakSocket();
  const { status, body: place } = await askForReturn(origin, roomOf(), sessionToken);
  expect([status, place]).toEqual([200, { node: expect.any(String), path: anna.path, iceServers: [] }]);
  const { body: only } = await askForReturn(origin, roomOf(), sessionToken, [place.node]);
  expect(only, 'there is no other node').toEqual(place);
  const back = await anna.resume(sessionToken, only.path);
  expect(back.welcome.participantId).toBe(anna.welcome.participantId);
  expect((await askForReturn(origin, roomOf(), 'forged')).body.code).toBe('unauthorized');
  back.socket.disconnect();
});

test('what ended while the socket was broken is told after the resume', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  await publish(ben, 2);
  const producerId = `${ben.welcome.participantId}-mic`;
  const { consumers } = await anna.request<{ consumers: { id: string }[] }>('consume', {
    transportId: anna.welcome.recvTransport?.id,
    producerIds: [producerId],
  });
  anna.breakSocket();
  await ben.request('closeProducer', { producerId });
  await publish(ben, 3);
  const back = await anna.resume();
  await back.hears('consumerClosed', { consumerId: consumers[0]?.id });
  for (const client of [back, ben]) client.socket.disconnect();
});

test('a reload: the same participant, new transports, and 10 s to publish again', async () => {
  const anna = await join('Anna');
  const ben = await join('Ben');
  const me = anna.welcome.participantId;
  await publish(anna, 1);
  await anna.request('produce', { ...microphoneOf(anna, 9), source: 'screenAudio' });
  const { consumers } = await ben.request<{ consumers: { id: string }[] }>('consume', {
    transportId: ben.welcome.recvTransport?.id,
    producerIds: [`${me}-mic`, `${me}-screenAudio`],
  });
  // The page before is still there when the next one comes.
  const next = await join('Ann', { resumeToken: anna.welcome.sessionToken });
  await anna.hears('sessionEnded', { reason: 'superseded' });
  await anna.isClosed();
  expect(next.welcome).toMatchObject({ participantId: me, sendTransport: TRANSPORT, recvTransport: TRANSPORT });
  expect(next.welcome.sendTransport?.id).not.toBe(anna.welcome.sendTransport?.id);
  expect(next.welcome.room.participants[0]?.producers).toHaveLength(2);
  await ben.hears('participantUpdated', { participantId: me, name: 'Ann' });

  expect(await publish(next, 5)).toEqual({ id: `${me}-mic` });
  await expect.poll(() => ben.heard('producerClosed').length, { timeout: 15_000 }).toBe(1);
  expect(ben.heard('producerClosed')).toMatchObject([{ producerId: `${me}-screenAudio` }]);
  expect(ben.heard('consumerClosed')).toEqual([]);
  const [kept, ended] = consumers.map(({ id }) => id);
  expect(await ben.request('resumeConsumer', { consumerId: kept })).toEqual({});
  expect(await ben.refusal('resumeConsumer', { consumerId: ended })).toBe('not_found');
  expect(ben.heard('participantJoined')).toEqual([]);
  expect(ben.heard('participantLeft')).toEqual([]);

  const late = await askForPlace(origin, roomOf(), JSON.stringify({ resumeToken: anna.welcome.sessionToken }));
  expect([late.status, late.body.code]).toEqual([401, 'session_expired']);
  for (const client of [next, ben]) client.socket.disconnect();
});

test('a server that goes down says so', async () => {
  const other = await Server.start();
  const anna = await SignalingClient.join(new URL(other.url).origin, roomOf(), 'Anna');
  await other.stop();
  await anna.hears('sessionEnded', { reason: 'draining' });
  await anna.isClosed();
});

test('pages of other origins reach neither transport', async () => {
  const headers = { origin: 'http://elsewhere.example' };
  const polling = await fetch(new URL('/socket.io/?EIO=4&transport=polling', origin), { headers });
  expect([polling.status, await polling.json()]).toEqual([403, expect.objectContaining({ code: 'forbidden' })]);
  const upgrade = { ...headers, connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const [response] = (await once(
    get(new URL('/socket.io/?EIO=4&transport=websocket', origin), {
      headers: { ...upgrade, 'sec-websocket-key': Buffer.alloc(16).toString('base64') },
    }),
    'response',
  )) as [IncomingMessage];
  expect(response.statusCode).toBe(403);
  response.destroy();
});
