import type { Page } from '@playwright/test';
import type { Shape } from './link.js';
import { streamOf } from './stats.js';

/** What a page has received of the one person whom it receives, at one moment. */
export interface Received {
  /** By the clock of the test, in ms. */
  at: number;
  /** Of the picture that was decoded last, in pixels. */
  width: number;
  framesDecoded: number;
  /** Of the sound, in samples: made up and not of silence, and in all. */
  concealed: number;
  sounded: number;
}

/** Keeps an account of what a page receives, ten times a second, from `begin` on. */
export class Reception {
  private constructor(private readonly page: Page) {}

  static async begin(page: Page): Promise<Reception> {
    await page.evaluate(keepAccount);
    await page.waitForFunction(() => (globalThis as unknown as { received: Received[] }).received.length > 0);
    return new Reception(page);
  }

  /** What there was from `from` to `to`. */
  async between(from: number, to: number = Date.now()): Promise<Received[]> {
    const all = await this.page.evaluate(() => (globalThis as unknown as { received: Received[] }).received);
    return all.filter(({ at }) => at >= from && at <= to);
  }

  async last(): Promise<Received> {
    return (await this.#ends(0)).last;
  }

  /** The share of the sound between two moments that was made up. */
  async concealed(from: number, to?: number): Promise<number> {
    const { first, last } = await this.#ends(from, to);
    return (last.concealed - first.concealed) / (last.sounded - first.sounded);
  }

  async framesPerSecond(from: number, to?: number): Promise<number> {
    const { first, last } = await this.#ends(from, to);
    return ((last.framesDecoded - first.framesDecoded) * 1_000) / (last.at - first.at);
  }

  /** How often the picture became smaller. */
  async downgrades(from: number, to?: number): Promise<number> {
    const received = await this.between(from, to);
    return received.filter(({ width }, index) => width < (received[index - 1]?.width ?? 0)).length;
  }

  async #ends(from: number, to?: number): Promise<{ first: Received; last: Received }> {
    const received = await this.between(from, to);
    const [first, last] = [received[0], received.at(-1)];
    if (!first || !last) throw new Error('nothing was received');
    return { first, last };
  }
}

/** Runs in the page. */
function keepAccount(): void {
  const PROBATOR_SSRC = 1234;
  const received: Received[] = [];
  Object.assign(globalThis, { received });
  const { hyperion } = globalThis as unknown as {
    hyperion: { recvTransport: { getStats(): Promise<RTCStatsReport> } };
  };
  setInterval(async () => {
    const streams = [...(await hyperion.recvTransport.getStats()).values()].filter(
      ({ type, ssrc }) => type === 'inbound-rtp' && ssrc !== PROBATOR_SSRC,
    );
    const video = streams.find(({ kind }) => kind === 'video');
    const audio = streams.find(({ kind }) => kind === 'audio');
    received.push({
      at: Date.now(),
      width: video?.frameWidth ?? 0,
      framesDecoded: video?.framesDecoded ?? 0,
      concealed: (audio?.concealedSamples ?? 0) - (audio?.silentConcealedSamples ?? 0),
      sounded: audio?.totalSamplesReceived ?? 0,
    });
  }, 100);
}

/** Counts the frames of the one video that are sent down to a page, lost or not: they differ in their timestamp, which
 *  is not encrypted (RFC 3711 3.1). */
export class Forwarded {
  readonly #frames = new Map<number, Set<number>>();

  /** What `shape` makes of datagrams, counted before. */
  before(shape: Shape): Shape {
    return (datagram, direction) => {
      // RTP is told from STUN and DTLS by its first byte (RFC 7983), from RTCP by its second (RFC 5761).
      const [first = 0, second = 0] = datagram;
      if (direction === 'down' && first >> 6 === 2 && !(second >= 192 && second <= 223)) {
        const ssrc = datagram.readUInt32BE(8);
        const frames = this.#frames.get(ssrc) ?? new Set();
        this.#frames.set(ssrc, frames.add(datagram.readUInt32BE(4)));
      }
      return shape(datagram, direction);
    };
  }

  async frames(page: Page): Promise<number> {
    const { ssrc } = await streamOf(page, 'inbound-rtp', 'video', 'ssrc');
    return this.#frames.get(ssrc)?.size ?? 0;
  }
}
