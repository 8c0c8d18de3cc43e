import type { types } from 'mediasoup-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from './failure';
import { Publisher, type Requester } from './publisher';

interface FakeTrack {
  getSettings?: () => MediaTrackSettings;
  kind: string;
  enabled: boolean;
}

function track(kind = 'audio'): MediaStreamTrack {
  return { kind, enabled: true, getSettings: () => ({ height: 180 }) } as FakeTrack as MediaStreamTrack;
}

class FakeProducer {
  readonly id = 'me-mic';
  closed = false;
  paused = false;
  track: MediaStreamTrack | null;
  readonly kind: string;
  readonly rtpParameters: { codecs: { mimeType: string }[] };
  readonly appData: types.AppData;
  constructor({ track, codec, appData = {} }: types.ProducerOptions) {
    this.appData = appData;
    this.track = track as MediaStreamTrack;
    this.kind = this.track.kind;
    this.rtpParameters = { codecs: [{ mimeType: codec?.mimeType ?? 'audio/opus' }] };
  }
  pause() {
    this.paused = true;
  }
  resume() {
    this.paused = false;
  }
  close() {
    this.closed = true;
  }
  async replaceTrack({ track: next }: { track: MediaStreamTrack | null }) {
    this.track = next;
  }
}

function transport() {
  const producers: FakeProducer[] = [];
  type Listener = (data: unknown, callback: (answer: { id: string }) => void) => void;
  let onProduce: Listener = () => {};
  const on = (event: string, listener: Listener) => {
    if (event === 'produce') onProduce = listener;
  };
  const produce = vi.fn(async (options: types.ProducerOptions) => {
    const { track, appData } = options;
    await new Promise((answered) => onProduce({ kind: track?.kind, rtpParameters: {}, appData }, answered));
    const producer = new FakeProducer(options);
    producers.push(producer);
    return producer;
  });
  return { producers, produce, as: { closed: false, on, produce } as unknown as types.Transport };
}

function codec(name: string): types.RtpCodecCapability {
  return { kind: 'video', mimeType: `video/${name}`, clockRate: 90_000, preferredPayloadType: 98 };
}

/** With these codecs, the one to send with first. */
function server(...videoCodecs: string[]) {
  /** But those to produce, which tests see at the transport. */
  const requests: string[] = [];
  const request = vi.fn(async (event: string) => {
    if (event !== 'produce') requests.push(event);
    return {};
  });
  const onFailure = vi.fn();
  return {
    requests,
    request,
    onFailure,
    publisher: new Publisher(request as unknown as Requester, onFailure, videoCodecs.map(codec)),
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('Publisher', () => {
  it('sends video with the chosen codec, and sound with its own', async () => {
    const { publisher } = server('VP9', 'VP8');
    const sending = transport();
    publisher.attach(sending.as, 'me');
    publisher.publish('camera', track('video'), false);
    publisher.publish('mic', track(), false);
    await settled();
    expect(sending.produce.mock.calls.map(([options]) => options.codec)).toEqual([codec('VP9'), undefined]);
  });

  it('is silent at once and tells the server', async () => {
    const { publisher, requests } = server();
    const sending = transport();
    const mic = track();
    publisher.attach(sending.as, 'me');
    publisher.publish('mic', mic, false);
    await settled();
    publisher.setPaused('mic', true);
    expect(mic.enabled).toBe(false);
    await settled();
    expect(requests).toEqual(['pauseProducer']);
    expect(sending.producers[0]?.paused).toBe(true);
  });

  it('ends with what was asked for last, however fast it was asked', async () => {
    const { publisher, requests } = server();
    publisher.attach(transport().as, 'me');
    const mic = track();
    publisher.publish('mic', mic, false);
    await settled();
    // The same call changes the track and the state.
    publisher.publish('mic', mic, true);
    await settled();
    expect(requests).toEqual(['pauseProducer']);
    for (const paused of [false, true, false, true, false]) publisher.publish('mic', mic, paused);
    await settled();
    expect(requests.at(-1)).toBe('resumeProducer');
  });

  it('publishes what it was told before there was a transport, muted if so', async () => {
    const { publisher } = server();
    const sending = transport();
    const mic = track();
    publisher.publish('mic', mic, true);
    publisher.attach(sending.as, 'me');
    await settled();
    expect(mic.enabled).toBe(false);
    expect(sending.produce.mock.calls[0]?.[0].appData).toMatchObject({ source: 'mic', paused: true });
    expect(sending.producers[0]?.paused).toBe(true);
  });

  it('publishes again on a new transport', async () => {
    const { publisher } = server();
    const [first, second] = [transport(), transport()];
    publisher.attach(first.as, 'me');
    publisher.publish('camera', track('video'), false);
    await settled();
    publisher.attach(second.as, 'me');
    await settled();
    expect(second.producers).toHaveLength(1);
    expect(publisher.producers).toHaveLength(1);
  });

  it('publishes again what was on its way to a transport that is no more, and calls that no failure', async () => {
    const { publisher, request, onFailure } = server();
    const [first, second] = [transport(), transport()];
    publisher.attach(first.as, 'me');
    publisher.publish('mic', track(), false);
    await settled();
    let fail = (_: Failure) => {};
    const failing = new Promise<never>((_, reject) => {
      fail = reject;
    });
    first.produce.mockReturnValueOnce(failing);
    request.mockReturnValueOnce(failing);
    publisher.publish('camera', track('video'), false);
    publisher.setPaused('mic', true);
    publisher.attach(second.as, 'me');
    fail(new Failure('not_found', ''));
    await settled();
    expect(second.produce.mock.calls.map(([{ appData }]) => appData)).toMatchObject([
      { source: 'camera', paused: false },
      { source: 'mic', paused: true },
    ]);
    expect(onFailure).not.toHaveBeenCalled();
  });

  it('keeps the producer of a camera that is off', async () => {
    const { publisher, requests } = server();
    const sending = transport();
    publisher.attach(sending.as, 'me');
    publisher.publish('camera', track('video'), false);
    await settled();
    publisher.setPaused('camera', true);
    publisher.replaceTrack('camera', null);
    await settled();
    const next = track('video');
    publisher.publish('camera', next, false);
    await settled();
    expect(sending.producers).toHaveLength(1);
    expect(sending.producers[0]).toMatchObject({ track: next, paused: false, closed: false });
    expect(requests).toEqual(['pauseProducer', 'resumeProducer']);
  });

  it('asks for no mute any more when something else is wanted, however long the room is not told of it', async () => {
    const { publisher, requests, request } = server();
    publisher.attach(transport().as, 'me');
    publisher.publish('mic', track(), false);
    await settled();
    const signals: AbortSignal[] = [];
    const waits = async (event: string, _: unknown, { signal }: { signal: AbortSignal }) => {
      requests.push(event);
      signals.push(signal);
      return new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Failure('superseded', ''))),
      );
    };
    request.mockImplementationOnce(waits as unknown as typeof request);
    publisher.setPaused('mic', true);
    await settled();
    expect(requests).toEqual(['pauseProducer']);
    publisher.setPaused('mic', true);
    expect(signals[0]?.aborted).toBe(false);
    publisher.setPaused('mic', false);
    await settled();
    expect(requests, 'the server may have muted it').toEqual(['pauseProducer', 'resumeProducer']);
  });

  it('brings the server in line after a resume', async () => {
    const { publisher, requests } = server();
    publisher.attach(transport().as, 'me');
    publisher.publish('mic', track(), true);
    await settled();
    publisher.reconcile(
      new Map([
        ['mic', { producerId: 'me-mic', paused: false }],
        ['camera', { producerId: 'me-camera', paused: false }],
      ]),
    );
    await settled();
    expect(requests.sort()).toEqual(['closeProducer', 'pauseProducer']);
  });

  it('stays muted when somebody else muted it, whatever was on its way', async () => {
    const { publisher, request, requests } = server();
    publisher.attach(transport().as, 'me');
    const mic = track();
    publisher.publish('mic', mic, false);
    await settled();
    publisher.paused('mic');
    await settled();
    expect([mic.enabled, requests]).toEqual([false, []]);

    // One's own unmute was under way: the room took it after the mute.
    const waits = async (_: string, __: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Failure('superseded', ''))));
    request.mockImplementationOnce(waits as unknown as typeof request);
    publisher.setPaused('mic', false);
    await settled();
    publisher.paused('mic');
    publisher.resumed('mic');
    await settled();
    expect(mic.enabled).toBe(false);
    expect(requests.at(-1)).toBe('pauseProducer');
  });

  it('is muted by what somebody did while the socket was away, and not by its own late answer', async () => {
    const { publisher, request } = server();
    publisher.attach(transport().as, 'me');
    const [mic, camera] = [track(), track('video')];
    publisher.publish('mic', mic, false);
    publisher.publish('camera', camera, true);
    await settled();
    request.mockReturnValueOnce(new Promise<never>(() => {}));
    publisher.setPaused('camera', false);
    const muted = vi.fn();
    const held = (source: string) => ({ producerId: `me-${source}`, paused: true });
    publisher.reconcile(
      new Map([
        ['mic', held('mic')],
        ['camera', held('camera')],
      ] as const),
      muted,
    );
    expect(muted.mock.calls).toEqual([['mic']]);
    expect([mic.enabled, camera.enabled]).toEqual([false, true]);
  });

  it('is done with what somebody else closed', async () => {
    const { publisher, request, requests, onFailure } = server();
    const sending = transport();
    publisher.attach(sending.as, 'me');
    publisher.publish('screen', track('video'), false);
    publisher.publish('camera', track('video'), false);
    await settled();
    publisher.closed('screen');
    await settled();
    expect([sending.producers[0]?.closed, requests]).toEqual([true, []]);
    // The news of it is on its way when one ends it oneself.
    request.mockRejectedValueOnce(new Failure('not_found', ''));
    publisher.unpublish('camera');
    await settled();
    expect(onFailure).not.toHaveBeenCalled();
  });

  it('asks no more to close what a page before published, once it is published again', async () => {
    const { publisher, request } = server();
    let signal: AbortSignal | undefined;
    const waits = async (_: string, __: unknown, options: { signal: AbortSignal }) => {
      signal = options.signal;
      return new Promise<never>(() => {});
    };
    request.mockImplementationOnce(waits as unknown as typeof request);
    publisher.attach(transport().as, 'me');
    publisher.reconcile(new Map([['mic', { producerId: 'me-mic', paused: false }]]));
    expect(signal?.aborted).toBe(false);
    publisher.publish('mic', track(), false);
    expect(signal?.aborted).toBe(true);
  });

  it('takes another device while the server has not taken the first', async () => {
    const { publisher, request, requests } = server();
    const sending = transport();
    let take = () => {};
    const waits = () => new Promise((resolve) => (take = () => resolve({})));
    request.mockImplementationOnce(waits as unknown as typeof request);
    publisher.attach(sending.as, 'me');
    publisher.publish('mic', track(), false);
    await settled();
    const other = track();
    publisher.replaceTrack('mic', other);
    publisher.setPaused('mic', true);
    await settled();
    expect(sending.producers[0]?.track).toBe(other);
    expect([sending.producers[0]?.paused, other.enabled]).toEqual([true, false]);
    expect(requests, 'of what the server does not have nothing is asked').toEqual([]);
    take();
    await settled();
    expect(requests).toEqual(['pauseProducer']);
  });

  it('asks no more to publish what is not to be published any more', async () => {
    const { publisher, request, requests, onFailure } = server();
    const sending = transport();
    let signal: AbortSignal | undefined;
    const waits = async (_: string, __: unknown, options: { signal: AbortSignal }) => {
      signal = options.signal;
      return new Promise<never>((_, reject) =>
        options.signal.addEventListener('abort', () => reject(new Failure('superseded', ''))),
      );
    };
    request.mockImplementationOnce(waits as unknown as typeof request);
    publisher.attach(sending.as, 'me');
    publisher.publish('screen', track('video'), false);
    await settled();
    publisher.unpublish('screen');
    await settled();
    expect([signal?.aborted, sending.producers[0]?.closed]).toEqual([true, true]);
    expect(requests).toEqual(['closeProducer']);
    expect(onFailure).not.toHaveBeenCalled();
  });

  it('says that the server does not take it, and publishes it with the next change', async () => {
    const { publisher, request, onFailure } = server();
    const sending = transport();
    request.mockRejectedValueOnce(new Failure('limit_reached', ''));
    publisher.attach(sending.as, 'me');
    publisher.publish('mic', track(), false);
    await settled();
    expect(onFailure).toHaveBeenCalledWith('mic', expect.objectContaining({ code: 'limit_reached' }));
    expect(sending.producers[0]?.closed).toBe(true);
    publisher.publish('mic', track(), false);
    await settled();
    expect(sending.producers).toHaveLength(2);
  });

  it('says what could not be published', async () => {
    const { publisher, request, onFailure } = server();
    publisher.attach(transport().as, 'me');
    publisher.publish('mic', track(), false);
    await settled();
    request.mockRejectedValueOnce(new Failure('limit_reached', ''));
    publisher.setPaused('mic', true);
    await settled();
    expect(onFailure).toHaveBeenCalledWith('mic', expect.objectContaining({ code: 'limit_reached' }));
  });
});

describe('Publisher, in a room that cannot receive every codec', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function publishing(...videoCodecs: string[]) {
    const { publisher, ...rest } = server(...videoCodecs);
    const sending = transport();
    publisher.attach(sending.as, 'me');
    publisher.publish('camera', track('video'), false);
    publisher.publish('mic', track(), false);
    await vi.advanceTimersByTimeAsync(0);
    const open = () => sending.producers.filter(({ closed, kind }) => !closed && kind === 'video');
    const sent = () => open().map(({ rtpParameters }) => rtpParameters.codecs[0]?.mimeType);
    const roomReceives = async (...mimeTypes: string[]) => {
      publisher.roomReceives(mimeTypes);
      await vi.advanceTimersByTimeAsync(0);
    };
    return { ...rest, publisher, sending, sent, roomReceives };
  }

  it('changes to what everybody receives, and stays there when they all receive more', async () => {
    const { sending, sent, roomReceives, requests } = await publishing('VP9', 'VP8', 'H264');
    await roomReceives('video/VP8', 'video/H264', 'video/VP9');
    expect(sent()).toEqual(['video/VP9']);
    await roomReceives('video/VP8', 'video/H264');
    expect(sent()).toEqual(['video/VP8']);
    await vi.advanceTimersByTimeAsync(60_000);
    await roomReceives('video/VP8', 'video/H264', 'video/VP9');
    expect(sent()).toEqual(['video/VP8']);
    expect(sending.producers.filter(({ kind }) => kind === 'audio')).toHaveLength(1);
    // The server takes the new producer in place of the old; to close that would close both.
    expect(requests).toEqual([]);
  });

  it('closes the old only when the new is there', async () => {
    const { sending, publisher } = await publishing('VP9', 'VP8');
    const [old] = sending.producers;
    let produced = () => {};
    sending.produce.mockImplementationOnce(
      (options) => new Promise((resolve) => (produced = () => resolve(new FakeProducer(options)))),
    );
    publisher.roomReceives(['video/VP8']);
    await vi.advanceTimersByTimeAsync(0);
    expect(old?.closed).toBe(false);
    produced();
    await vi.advanceTimersByTimeAsync(0);
    expect(old?.closed).toBe(true);
  });

  it('begins with what everybody receives', async () => {
    const { publisher } = server('VP9', 'VP8');
    const sending = transport();
    publisher.roomReceives(['video/VP8']);
    publisher.attach(sending.as, 'me');
    publisher.publish('camera', track('video'), false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sending.produce.mock.calls.map(([options]) => options.codec?.mimeType)).toEqual(['video/VP8']);
  });

  it('changes nothing where nothing is common, or only what it cannot send', async () => {
    const { sent, roomReceives, sending } = await publishing('VP9', 'VP8');
    await roomReceives();
    await roomReceives('video/H264');
    expect(sent()).toEqual(['video/VP9']);
    expect(sending.producers).toHaveLength(2);
  });

  it('does not flicker with people who come and go', async () => {
    const { sent, roomReceives, sending } = await publishing('VP8', 'H264');
    await roomReceives('video/H264');
    for (const common of ['VP8', 'H264', 'VP8', 'H264', 'VP8']) await roomReceives(`video/${common}`);
    expect(sent()).toEqual(['video/H264']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent()).toEqual(['video/VP8']);
    expect(sending.producers).toHaveLength(4);
  });

  it('changes the codec of a camera that is off when it is on again', async () => {
    const { publisher, sent, roomReceives, sending, requests } = await publishing('VP9', 'VP8');
    publisher.setPaused('camera', true);
    publisher.replaceTrack('camera', null);
    await roomReceives('video/VP8');
    expect(sent()).toEqual(['video/VP9']);
    publisher.publish('camera', track('video'), false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent()).toEqual(['video/VP8']);
    expect(sending.producers.at(-1)?.paused).toBe(false);
    expect(requests).toEqual(['pauseProducer', 'resumeProducer']);
  });

  it('ends what is unpublished while it changes', async () => {
    const { publisher, sent, sending, requests } = await publishing('VP9', 'VP8');
    publisher.roomReceives(['video/VP8']);
    publisher.unpublish('camera');
    await vi.advanceTimersByTimeAsync(0);
    expect(sent()).toEqual([]);
    expect(sending.producers).toHaveLength(3);
    expect(requests).toEqual(['closeProducer']);
  });
});
