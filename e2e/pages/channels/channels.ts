// Somebody in a room with data channels only: the unmodified mediasoup-client, and what a test asks of it.
import { Device, type types } from 'mediasoup-client';
import { Connection } from '../../../web/src/client/connection';
import { joinPlace } from '../../../web/src/client/join-place';
import type { Channels, Received } from '../../support/channels';

const query = new URLSearchParams(location.search);
const origin = query.get('server') ?? '';
const room = query.get('room') ?? '';
const name = query.get('name') ?? '';

const place = await joinPlace(origin, room, {});
const device = await Device.factory();
await device.load({ routerRtpCapabilities: place.routerRtpCapabilities });
const join = { name, rtpCapabilities: device.recvRtpCapabilities, enableSctp: true };
const connection = new Connection({ origin, room, place, join });

let send!: types.Transport;
let recv!: types.Transport;
const producers = new Map<string, types.DataProducer>();
const consumers = new Map<string, types.DataConsumer>();
const received = new Map<string, Received[]>();
const notifications: { event: string; data: unknown }[] = [];

connection.on('welcome', ({ welcome }) => {
  if (!welcome.sendTransport || !welcome.recvTransport) return;
  send = device.createSendTransport(welcome.sendTransport);
  recv = device.createRecvTransport(welcome.recvTransport);
  for (const transport of [send, recv]) {
    transport.on('connect', ({ dtlsParameters }, callback, errback) => {
      connection
        .request('connectWebRtcTransport', { transportId: transport.id, dtlsParameters })
        .then(callback, errback);
    });
  }
  send.on('producedata', ({ sctpStreamParameters, label = '', protocol = '' }, callback, errback) => {
    const { streamId = -1, ...rest } = sctpStreamParameters;
    connection
      .request('produceData', { transportId: send.id, sctpStreamParameters: { streamId, ...rest }, label, protocol })
      .then(callback, errback);
  });
});
connection.on('notification', (notification) => notifications.push(notification));
await connection.start();

/** The `n`th message of so many bytes: each follows from its place and from `n`. */
function message(n: number, bytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes }, (_, at) => at ^ n);
}

const page: Channels = {
  async open(options) {
    const producer = await send.produceData(options);
    producers.set(producer.id, producer);
    if (producer.readyState !== 'open') await new Promise<void>((resolve) => producer.on('open', resolve));
    return producer.id;
  },

  async receive(dataProducerId, times) {
    const dataProducerIds = Array.from({ length: times }, () => dataProducerId);
    const { dataConsumers } = await connection.request('consumeData', { transportId: recv.id, dataProducerIds });
    const made = dataConsumers.map(async (options) => {
      if ('error' in options) throw new Error(options.error.message);
      const consumer = await recv.consumeData(options);
      const messages: Received[] = [];
      consumer.binaryType = 'arraybuffer';
      consumer.on('message', (data: string | ArrayBuffer) => {
        if (typeof data === 'string') messages.push({ text: data });
        else {
          const bytes = new Uint8Array(data);
          const n = bytes[0] ?? 0;
          messages.push({ bytes: bytes.length, intact: bytes.every((byte, at) => byte === ((at ^ n) & 0xff)) });
        }
      });
      consumers.set(consumer.id, consumer);
      received.set(consumer.id, messages);
      await connection.request('resumeDataConsumer', { dataConsumerId: consumer.id });
      return consumer.id;
    });
    return Promise.all(made);
  },

  sendText(id, texts) {
    for (const text of texts) producers.get(id)?.send(text);
  },

  sendBytes(id, n, bytes) {
    producers.get(id)?.send(message(n, bytes));
  },

  received: (dataConsumerId) => received.get(dataConsumerId) ?? [],
  consumerState: (dataConsumerId) => consumers.get(dataConsumerId)?.readyState,
  closeProducer: (id) => producers.get(id)?.close(),
  notifications: () => notifications,
  maxMessageSize: () => send.getDataChannelMaxMessageSize(),
};

Object.assign(globalThis, { channels: page });
document.body.textContent = 'ready';
