import type { types } from 'mediasoup-client';

const LOOK_MS = 100;
/** Who is muted, or whose picture is hidden, sends nothing. */
const SILENCE_MS_MAX = 1_500;

/**
 * Resolves when something came by a consumer: a picture that was decoded, or sound; or when that takes too long from when
 * its transport is connected on.
 */
export async function firstMedia(consumer: types.Consumer, isConnected: () => boolean): Promise<void> {
  let silentMs = 0;
  while (!consumer.closed && silentMs < SILENCE_MS_MAX) {
    const reports = [...(await consumer.getStats()).values()] as Partial<RTCInboundRtpStreamStats>[];
    const count = consumer.kind === 'video' ? 'framesDecoded' : 'packetsReceived';
    if (reports.some((report) => report.type === 'inbound-rtp' && (report[count] ?? 0) > 0)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (isConnected()) silentMs += LOOK_MS;
  }
}
