import { describe, expect, it } from 'vitest';
import { StreamQualityReader } from './stream-quality';

function reading(...looks: object[][]) {
  let look = 0;
  return new StreamQualityReader(async () => {
    const reports = looks[Math.min(look++, looks.length - 1)] as { id: string }[];
    return new Map(reports.map((report) => [report.id, report])) as unknown as RTCStatsReport;
  });
}

const codec = { id: 'c', type: 'codec', mimeType: 'video/VP8' };
const pair = { id: 'p', type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.0424 };

const received = (timestamp: number, bytesReceived: number, packetsReceived: number, packetsLost: number) => ({
  id: 'r',
  type: 'inbound-rtp',
  kind: 'video',
  codecId: 'c',
  timestamp,
  bytesReceived,
  packetsReceived,
  packetsLost,
  frameWidth: 640,
  frameHeight: 360,
  framesPerSecond: 30,
});

describe('StreamQualityReader', () => {
  it('tells of what comes since the look before', async () => {
    const reader = reading([received(1_000, 0, 0, 0), codec, pair], [received(3_000, 250_000, 90, 10), codec, pair]);
    expect(await reader.read()).toMatchObject({ bitrate: undefined, loss: undefined, codec: 'VP8', roundTripMs: 42 });
    expect(await reader.read()).toEqual({
      bitrate: 1_000_000,
      loss: 0.1,
      roundTripMs: 42,
      codec: 'VP8',
      width: 640,
      height: 360,
      framesPerSecond: 30,
      layers: 1,
    });
  });

  it('counts what is sent in several sizes together, and says how the other side has it', async () => {
    const layer = (id: string, frameWidth: number, bytesSent: number, timestamp: number, active = true) => ({
      id,
      type: 'outbound-rtp',
      kind: 'video',
      codecId: 'c',
      active,
      timestamp,
      bytesSent,
      packetsSent: bytesSent / 1_000,
      frameWidth,
      frameHeight: (frameWidth * 9) / 16,
    });
    const far = { id: 'f', type: 'remote-inbound-rtp', roundTripTime: 0.1, fractionLost: 0.25 };
    const look = (at: number, bytes: number) => [
      layer('a', 320, bytes, at),
      layer('b', 640, bytes, at),
      layer('c', 1280, 0, at, false),
      far,
      codec,
      pair,
    ];
    const reader = reading(look(0, 0), look(1_000, 50_000));
    await reader.read();
    expect(await reader.read()).toMatchObject({
      bitrate: 800_000,
      loss: 0.25,
      roundTripMs: 100,
      width: 640,
      layers: 2,
    });
  });

  it('says nothing of a rate where another stream took its place', async () => {
    const reader = reading([received(1_000, 9_000, 9, 0)], [received(2_000, 10, 1, 0)]);
    await reader.read();
    expect(await reader.read()).toMatchObject({ bitrate: undefined, width: 640 });
  });

  it('is nothing where there is no stream', async () => {
    expect(await reading([codec, pair]).read()).toBeUndefined();
    expect(await new StreamQualityReader(() => Promise.reject(new Error('closed'))).read()).toBeUndefined();
  });
});
