import type { types } from 'mediasoup-client';

const LOOK_MS = 100;
/** For how long what should come is waited for. */
const SILENCE_MS_MAX = 1_500;
/** How many are told at once: what they do then, such as showing another picture, is not to become one long task. */
const TOLD_MAX = 8;

interface Awaited {
  kind: types.MediaKind;
  silentMs: number;
  came: () => void;
}

/**
 * Tells of a transport's consumers when something came by them: a picture that was decoded, or sound; or that it takes too
 * long, from when the transport is connected on. It looks at all of them at once, which costs as much as looking at one.
 */
export class FirstMedia {
  readonly #transport: types.Transport;
  /** By SSRC. */
  readonly #awaited = new Map<number, Awaited>();
  #looking = false;

  constructor(transport: types.Transport) {
    this.#transport = transport;
  }

  /** Calls `came` once. Who is watched first is told first. */
  watch(consumer: types.Consumer, came: () => void): void {
    const ssrc = consumer.rtpParameters.encodings?.[0]?.ssrc ?? 0;
    this.#awaited.set(ssrc, { kind: consumer.kind, silentMs: 0, came });
    if (!this.#looking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#awaited.size > 0 && !this.#transport.closed) {
      if (this.#transport.connectionState === 'connected') {
        // Of one that was closed meanwhile nothing is known.
        this.#tell(await this.#transport.getStats().catch(() => new Map() as RTCStatsReport));
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#looking = false;
  }

  #tell(reports: RTCStatsReport): void {
    const received = new Set<number>();
    for (const report of reports.values() as Iterable<Partial<RTCInboundRtpStreamStats>>) {
      if (report.type !== 'inbound-rtp' || report.ssrc === undefined) continue;
      const count = report.kind === 'video' ? report.framesDecoded : report.packetsReceived;
      if ((count ?? 0) > 0) received.add(report.ssrc);
    }
    let told = 0;
    for (const [ssrc, awaited] of this.#awaited) {
      if (told === TOLD_MAX) return;
      awaited.silentMs += LOOK_MS;
      if (!received.has(ssrc) && awaited.silentMs <= SILENCE_MS_MAX) continue;
      told += 1;
      this.#awaited.delete(ssrc);
      awaited.came();
    }
  }
}
