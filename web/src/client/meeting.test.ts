import type { Device, types } from 'mediasoup-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connection, ConnectionEvents } from './connection';
import { Emitter } from './emitter';
import { Failure } from './failure';
import { Meeting } from './meeting';
import type { TransportOptions, Welcome } from './protocol';

type Listener = (...args: never[]) => void;

/** Of mediasoup-client: says `connect` once, and `produce` for each producer. */
class FakeTransport {
  closed = false;
  connectionState = 'connected';
  readonly id: string;
  readonly direction: 'send' | 'recv';
  readonly #listeners = new Map<string, Listener[]>();
  readonly observer = { on: () => {} };
  #ssrcs = 0;

  constructor(id: string, direction: 'send' | 'recv') {
    this.id = id;
    this.direction = direction;
  }
  on(event: string, listener: Listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }
  say(event: string, data: unknown): Promise<{ id: string }> {
    return new Promise((resolve, reject) => {
      const listeners = (this.#listeners.get(event) ?? []) as unknown as ((...args: unknown[]) => void)[];
      for (const listener of listeners) listener(data, resolve, reject);
    });
  }
  async produce({ track, appData }: types.ProducerOptions) {
    const { id } = await this.say('produce', { kind: track?.kind, rtpParameters: {}, appData });
    const rtpParameters = { codecs: [], encodings: [] };
    const silent = { pause: () => {}, resume: () => {}, close: () => {} };
    return { id, kind: track?.kind, track, rtpParameters, appData, ...silent };
  }
  async consume({ id }: { id: string }) {
    const ssrc = this.#ssrcs++;
    return {
      id,
      closed: false,
      track: { id: `${this.id} ${id}` },
      rtpParameters: { encodings: [{ ssrc }] },
      close: () => {},
    };
  }
  /** Something comes by all of them. */
  async getStats() {
    const ssrcs = [...Array(this.#ssrcs).keys()];
    return new Map(ssrcs.map((ssrc) => [ssrc, { type: 'inbound-rtp', ssrc, packetsReceived: 1 }]));
  }
  close() {
    this.closed = true;
  }
}

class FakeConnection extends Emitter<ConnectionEvents> {
  readonly state = 'connected';
  readonly sent: [string, unknown][] = [];
  /** What is not published again yet. */
  readonly away = new Set<string>();
  tell<E extends keyof ConnectionEvents>(event: E, data: ConnectionEvents[E]) {
    this.emit(event, data);
  }
  close() {}
  async request(event: string, data: { producerIds?: string[]; source?: string }) {
    this.sent.push([event, data]);
    const { producerIds = [], source } = data;
    if (event === 'produce') return { id: `me-${source}` };
    if (event === 'restartIce') throw new Failure('not_found', '');
    if (event !== 'consume') return {};
    return {
      consumers: producerIds.map((producerId) =>
        this.away.has(producerId)
          ? { producerId, error: { code: 'not_found', message: '', retryable: false } }
          : { id: `c-${producerId}`, producerId, kind: 'video', rtpParameters: {}, streamId: 's' },
      ),
    };
  }
}

/** Anna, who publishes, as seen by us, and what we publish. */
function welcome(node: string, own: string[]): Welcome {
  const producers = (who: string, sources: string[]) =>
    sources.map((source) => ({ id: `${who}-${source}`, kind: source === 'mic' ? 'audio' : 'video', paused: false }));
  return {
    participantId: 'me',
    sessionToken: node,
    room: {
      roomId: 'r',
      seq: 1,
      participants: [
        {
          id: 'anna',
          name: 'Anna',
          role: 'host' as const,
          hand: null,
          producers: producers('anna', ['mic', 'camera']),
          dataProducers: [],
        },
        {
          id: 'me',
          name: 'Me',
          role: 'participant' as const,
          hand: null,
          producers: producers('me', own),
          dataProducers: [],
        },
      ],
      videoCodecs: [],
      chat: [],
      settings: { locked: false, mic: true, camera: true, screen: true, chat: true },
    },
    sendTransport: { id: `${node}-send` } as TransportOptions,
    recvTransport: { id: `${node}-recv` } as TransportOptions,
  } as Welcome;
}

function meet() {
  const transports: FakeTransport[] = [];
  const create =
    (direction: 'send' | 'recv') =>
    ({ id }: { id: string }) => {
      const transport = new FakeTransport(id, direction);
      transports.push(transport);
      return transport;
    };
  const device = {
    sendRtpCapabilities: { codecs: [] },
    createSendTransport: create('send'),
    createRecvTransport: create('recv'),
  };
  const connection = new FakeConnection();
  const meeting = new Meeting('r', device as unknown as Device, connection as unknown as Connection);
  const failed = vi.fn();
  meeting.on('publishFailed', failed);
  return { meeting, connection, transports, failed };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe('Meeting', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function movedToAnotherNode() {
    const all = meet();
    const { meeting, connection } = all;
    connection.tell('welcome', { welcome: welcome('a', []), resumed: false, iceServers: [] });
    const track = (kind: string) => ({ kind, enabled: true, getSettings: () => ({ height: 180 }) }) as MediaStreamTrack;
    meeting.publish('mic', track('audio'));
    meeting.publish('camera', track('video'));
    await settle();
    connection.sent.length = 0;
    connection.away.add('anna-camera');
    const left = vi.fn();
    meeting.on('participantLeft', left);
    connection.tell('welcome', { welcome: welcome('b', ['mic', 'camera']), resumed: true, iceServers: [] });
    await settle();
    return { ...all, left };
  }
  const camera = (meeting: Meeting) => meeting.participants.find(({ id }) => id === 'anna')?.media.camera?.track?.id;

  it('publishes and consumes everything again on the transports of another node, and nobody seems to leave', async () => {
    const { meeting, connection, transports, failed, left } = await movedToAnotherNode();
    const sent = (event: string) => connection.sent.filter(([name]) => name === event).map(([, data]) => data);
    expect(sent('produce')).toMatchObject([
      { transportId: 'b-send', source: 'mic' },
      { transportId: 'b-send', source: 'camera' },
    ]);
    expect(sent('consume')).toEqual([{ transportId: 'b-recv', producerIds: ['anna-mic', 'anna-camera'] }]);
    expect(sent('closeProducer')).toEqual([]);
    expect(transports.map(({ id, closed }) => [id, closed])).toEqual([
      ['a-send', false],
      ['a-recv', false],
      ['b-send', false],
      ['b-recv', false],
    ]);
    void transports[2]?.say('connectionstatechange', 'connected');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(transports[0]?.closed, 'until everybody has what is sent by the next').toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(transports[0]?.closed).toBe(true);
    expect(camera(meeting), 'the last picture stays').toBe('a-recv c-anna-camera');
    connection.away.clear();
    const producer = { id: 'anna-camera', kind: 'video', paused: false } as const;
    connection.tell('notification', { event: 'producerAdded', data: { seq: 2, participantId: 'anna', producer } });
    await settle();
    expect(camera(meeting)).toBe('b-recv c-anna-camera');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(transports.map(({ closed }) => closed)).toEqual([true, true, false, false]);
    expect(failed).not.toHaveBeenCalled();
    expect(left).not.toHaveBeenCalled();
  });

  it('does not mend the transport of the node before', async () => {
    const { connection, transports } = await movedToAnotherNode();
    const former = transports[1];
    if (former) former.connectionState = 'failed';
    void former?.say('connectionstatechange', 'failed');
    await vi.advanceTimersByTimeAsync(20_000);
    const events = connection.sent.map(([event]) => event);
    expect(events).not.toContain('restartIce');
    expect(events).not.toContain('createWebRtcTransport');
  });
});
