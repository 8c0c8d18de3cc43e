import type { types } from 'mediasoup-client';
import { describe, expect, it, vi } from 'vitest';
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
  constructor(from: MediaStreamTrack) {
    this.track = from;
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
  const produce = vi.fn(async ({ track: from }: types.ProducerOptions) => {
    const producer = new FakeProducer(from as MediaStreamTrack);
    producers.push(producer);
    return producer;
  });
  return { producers, produce, as: { closed: false, produce } as unknown as types.Transport };
}

function server(videoCodec?: types.RtpCodecCapability) {
  const requests: string[] = [];
  const request = vi.fn(async (event: string) => {
    requests.push(event);
    return {};
  });
  const onFailure = vi.fn();
  return {
    requests,
    request,
    onFailure,
    publisher: new Publisher(request as unknown as Requester, onFailure, videoCodec),
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('Publisher', () => {
  it('sends video with the chosen codec, and sound with its own', async () => {
    const videoCodec: types.RtpCodecCapability = {
      kind: 'video',
      mimeType: 'video/VP9',
      clockRate: 90_000,
      preferredPayloadType: 98,
    };
    const { publisher } = server(videoCodec);
    const sending = transport();
    publisher.attach(sending.as);
    publisher.publish('camera', track('video'), false);
    publisher.publish('mic', track(), false);
    await settled();
    expect(sending.produce.mock.calls.map(([options]) => options.codec)).toEqual([videoCodec, undefined]);
  });

  it('is silent at once and tells the server', async () => {
    const { publisher, requests } = server();
    const sending = transport();
    const mic = track();
    publisher.attach(sending.as);
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
    publisher.attach(transport().as);
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
    publisher.attach(sending.as);
    await settled();
    expect(mic.enabled).toBe(false);
    expect(sending.produce.mock.calls[0]?.[0].appData).toEqual({ source: 'mic', paused: true });
    expect(sending.producers[0]?.paused).toBe(true);
  });

  it('publishes again on a new transport', async () => {
    const { publisher } = server();
    const [first, second] = [transport(), transport()];
    publisher.attach(first.as);
    publisher.publish('camera', track('video'), false);
    await settled();
    publisher.attach(second.as);
    await settled();
    expect(second.producers).toHaveLength(1);
    expect(publisher.producers).toHaveLength(1);
  });

  it('keeps the producer of a camera that is off', async () => {
    const { publisher, requests } = server();
    const sending = transport();
    publisher.attach(sending.as);
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

  it('brings the server in line after a resume', async () => {
    const { publisher, requests } = server();
    publisher.attach(transport().as);
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

  it('says what could not be published', async () => {
    const { publisher, request, onFailure } = server();
    publisher.attach(transport().as);
    publisher.publish('mic', track(), false);
    await settled();
    request.mockRejectedValueOnce(new Failure('limit_reached', ''));
    publisher.setPaused('mic', true);
    await settled();
    expect(onFailure).toHaveBeenCalledWith('mic', expect.objectContaining({ code: 'limit_reached' }));
  });
});
