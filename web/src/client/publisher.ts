import type { types } from 'mediasoup-client';
import { cameraEncodings, screenEncodings } from './encodings';
import { Failure } from './failure';
import type { ParticipantId, ProducerId, RequestData, RequestEvent, RequestReply, Source } from './protocol';
import type { RequestOptions } from './request-queue';
import { producerIdOf } from './roster';

export type Requester = <E extends RequestEvent>(
  event: E,
  data: RequestData<E>,
  options?: Pick<RequestOptions, 'signal'>,
) => Promise<RequestReply<E>>;

/** What is to be sent from one source. */
interface Publication {
  track: MediaStreamTrack | null;
  paused: boolean;
  producer?: types.Producer | undefined;
  /** While the server has not said yet that it has the producer: ends what asks it. */
  producing?: AbortController | undefined;
  /** Whether the server holds the producer as paused, where that is known. */
  serverPaused: boolean | undefined;
  /** Ends what asks for `serverPaused` to change. */
  pausing?: AbortController | undefined;
  /** When the codec was changed for the room, in ms since the page began, and what waits to change it again. */
  codecChangedAt: number;
  codecTimer?: ReturnType<typeof setTimeout>;
}

/** What is noted with a producer when it is made. */
interface AppData extends types.AppData {
  source: Source;
  paused: boolean;
  signal: AbortSignal;
  /** Whether the server takes it. */
  answer?: Promise<unknown>;
}

const SPEECH_CODEC: types.ProducerCodecOptions = { opusFec: true, opusDtx: true, opusStereo: false };
/** What is heard of a shared screen may be music. */
const SCREEN_AUDIO_CODEC: types.ProducerCodecOptions = {
  opusFec: true,
  opusDtx: false,
  opusStereo: true,
  opusMaxAverageBitrate: 128_000,
};
/** Without a hint the browser begins at 300 kbit/s, and the first seconds look like it. */
const VIDEO_CODEC: types.ProducerCodecOptions = { videoGoogleStartBitrate: 1_000 };
/** A change of codec is a short gap for everybody, and must not become a flicker where people come and go. */
const CODEC_MS_MIN = 10_000;
/**
 * What this client sends. Callers say what should be (`publish`, `setPaused`, `replaceTrack`, `unpublish`); per
 * source one loop at a time makes it so, on whatever transport there is. What must be instant (silence) is done
 * in the same call.
 */
export class Publisher {
  readonly #publications = new Map<Source, Publication>();
  readonly #stale = new Map<Source, types.Producer>();
  /** What closes a source that was published before this page was loaded, until it is published again. */
  readonly #closing = new Map<Source, AbortController>();
  readonly #running = new Set<Source>();
  /** What was asked for since the source's loop last looked. */
  readonly #changed = new Set<Source>();
  readonly #request: Requester;
  readonly #onFailure: (source: Source, failure: Failure) => void;
  readonly #videoCodecs: readonly types.RtpCodecCapability[];
  /** What everybody in the room can receive, in lower case. */
  #receivable: ReadonlySet<string> = new Set();
  #transport: types.Transport | undefined;

  /** `videoCodecs` are those that this browser encodes and the server takes, the one to send with first. */
  constructor(
    request: Requester,
    onFailure: (source: Source, failure: Failure) => void,
    videoCodecs: readonly types.RtpCodecCapability[] = [],
  ) {
    this.#request = request;
    this.#onFailure = onFailure;
    this.#videoCodecs = videoCodecs;
  }

  /** The producers that exist now, for statistics. */
  get producers(): types.Producer[] {
    return [...this.#publications.values()].flatMap(({ producer }) => producer ?? []);
  }

  publish(source: Source, track: MediaStreamTrack, paused: boolean): void {
    const publication = this.#publications.get(source);
    if (publication) {
      this.replaceTrack(source, track);
      this.setPaused(source, paused);
      return;
    }
    track.enabled = !paused;
    // It may be repeated until long after what is published now.
    this.#closing.get(source)?.abort();
    this.#publications.set(source, { track, paused, serverPaused: paused, codecChangedAt: Number.NEGATIVE_INFINITY });
    void this.#run(source);
  }

  setPaused(source: Source, paused: boolean): void {
    const publication = this.#publications.get(source);
    if (!publication) return;
    if (publication.paused !== paused) publication.pausing?.abort();
    pauseHere(publication, paused);
    void this.#run(source);
  }

  /** Somebody else muted a source, here and at the server. */
  paused(source: Source): void {
    const publication = this.#publications.get(source);
    if (!publication) return;
    pauseHere(publication, true);
    publication.pausing?.abort();
    publication.serverPaused = true;
  }

  /** The server let a source go on as this client had asked, before somebody else muted it. */
  resumed(source: Source): void {
    const publication = this.#publications.get(source);
    if (!publication?.paused || publication.pausing?.signal.aborted === false) return;
    publication.serverPaused = false;
    void this.#run(source);
  }

  /** `null` sends nothing until there is a track again. The producer, and who watches it, stay. */
  replaceTrack(source: Source, track: MediaStreamTrack | null): void {
    const publication = this.#publications.get(source);
    if (!publication) return;
    // A device that was changed for another is to be heard or seen at once.
    if (track && publication.track && publication.track !== track) publication.pausing?.abort();
    publication.track = track;
    if (track) track.enabled = !publication.paused;
    void this.#run(source);
  }

  unpublish(source: Source): void {
    const publication = this.#withdraw(source);
    if (!publication) return;
    if (publication.producer) this.#stale.set(source, publication.producer);
    void this.#run(source);
  }

  /** Somebody else ended a source; the server has it no more. */
  closed(source: Source): void {
    this.#withdraw(source)?.producer?.close();
  }

  /** It is to be sent no more, and nothing is asked for it. */
  #withdraw(source: Source): Publication | undefined {
    const publication = this.#publications.get(source);
    this.#publications.delete(source);
    publication?.pausing?.abort();
    publication?.producing?.abort();
    return publication;
  }

  /** Sends by this transport, as this participant, from now on; what was on the one before is published again. */
  attach(transport: types.Transport, self: ParticipantId): void {
    this.#transport = transport;
    // Answered at once, as what the server will say is known: meanwhile mediasoup-client would neither take another
    // device nor restart ICE, and the room's log may be away for long.
    transport.on('produce', ({ kind, rtpParameters, appData }, callback) => {
      const produced = appData as AppData;
      const { source, paused, signal } = produced;
      const wanted = { transportId: transport.id, source, kind, rtpParameters, paused };
      produced.answer = this.#request('produce', wanted, { signal });
      // Nobody waits for it where the transport was replaced meanwhile.
      produced.answer.catch(() => {});
      callback({ id: producerIdOf(self, source) });
    });
    this.#stale.clear();
    for (const [source, publication] of this.#publications) {
      publication.producer = undefined;
      publication.pausing?.abort();
      publication.producing?.abort();
      void this.#run(source);
    }
  }

  /** Which video codecs everybody in the room can receive; what is sent with another changes to one of them. */
  roomReceives(mimeTypes: readonly string[]): void {
    this.#receivable = new Set(mimeTypes.map((mimeType) => mimeType.toLowerCase()));
    for (const source of this.#publications.keys()) void this.#run(source);
  }

  /** Stops the layers above `layer`, because nobody wants them, and lets those up to it flow. */
  limitLayers(producerId: ProducerId, layer: number): void {
    const producer = this.producers.find(({ id }) => id === producerId);
    const top = (producer?.rtpParameters.encodings?.length ?? 1) - 1;
    // Fails only for a producer that was closed meanwhile.
    if (top > 0) producer?.setMaxSpatialLayer(Math.min(layer, top)).catch(() => {});
  }

  /**
   * After a resume: what the server holds of us, to be brought in line with what should be. Calls `muted` for what somebody
   * muted meanwhile.
   */
  reconcile(
    held: ReadonlyMap<Source, { producerId: ProducerId; paused: boolean }>,
    muted: (source: Source) => void = () => {},
  ): void {
    for (const [source, publication] of this.#publications) {
      const producer = held.get(source);
      if (producer?.paused && publication.serverPaused === false && !publication.paused) {
        pauseHere(publication, true);
        muted(source);
      }
      if (producer) publication.serverPaused = producer.paused;
      else if (publication.producer && !publication.producing && !this.#running.has(source)) {
        publication.producer.close();
        publication.producer = undefined;
      }
      void this.#run(source);
    }
    for (const [source, { producerId }] of held) {
      if (!this.#publications.has(source)) this.#close(source, producerId);
    }
  }

  #close(source: Source, producerId: ProducerId): void {
    const closing = new AbortController();
    this.#closing.get(source)?.abort();
    this.#closing.set(source, closing);
    this.#request('closeProducer', { producerId }, { signal: closing.signal }).catch(() => {});
  }

  async #run(source: Source): Promise<void> {
    this.#changed.add(source);
    if (this.#running.has(source)) return;
    this.#running.add(source);
    let transport = this.#transport;
    try {
      while (this.#changed.delete(source)) {
        do transport = this.#transport;
        while (await this.#step(source));
      }
    } catch (thrown) {
      const failure = Failure.from(thrown);
      // A session that ended is followed by a welcome, which runs everything again; so does another transport.
      if (failure.code !== 'closed' && transport === this.#transport) this.#onFailure(source, failure);
    } finally {
      this.#running.delete(source);
      // What was asked for while something failed is not lost with it.
      if (this.#changed.has(source)) void this.#run(source);
    }
  }

  /** Does the one next thing that brings the source closer to what should be; false when nothing is left to do. */
  async #step(source: Source): Promise<boolean> {
    const stale = this.#stale.get(source);
    if (stale) {
      this.#stale.delete(source);
      stale.close();
      await this.#request('closeProducer', { producerId: stale.id }).catch((thrown) => {
        // Somebody else closed it first.
        if (Failure.from(thrown).code !== 'not_found') throw thrown;
      });
      return true;
    }
    const publication = this.#publications.get(source);
    const transport = this.#transport;
    if (!publication || !transport || transport.closed) return false;
    const { producer, track } = publication;
    if (!producer) {
      if (!track) return false;
      await this.#produce(source, publication, transport, track);
      return true;
    }
    if (track && this.#hasToChange(producer)) {
      const wait = publication.codecChangedAt + CODEC_MS_MIN - performance.now();
      if (wait <= 0) {
        publication.codecChangedAt = performance.now();
        await this.#produce(source, publication, transport, track, producer);
        return true;
      }
      clearTimeout(publication.codecTimer);
      publication.codecTimer = setTimeout(() => this.#run(source), wait);
    }
    if (producer.track !== track) {
      await producer.replaceTrack({ track });
      return true;
    }
    if (!publication.producing && publication.serverPaused !== publication.paused) {
      await this.#pause(publication, producer.id, publication.paused);
      return true;
    }
    return false;
  }

  /** Until it is answered, or something else is wanted: the room's log may be away for long, the media is not. */
  async #pause(publication: Publication, producerId: ProducerId, paused: boolean): Promise<void> {
    const wanted = new AbortController();
    publication.pausing = wanted;
    publication.serverPaused = undefined;
    try {
      const { signal } = wanted;
      await this.#request(paused ? 'pauseProducer' : 'resumeProducer', { producerId }, { signal });
      if (!signal.aborted) publication.serverPaused = paused;
    } catch (thrown) {
      if (!wanted.signal.aborted) throw thrown;
    } finally {
      if (publication.pausing === wanted) publication.pausing = undefined;
    }
  }

  /** Whether there are people who cannot receive this producer and would receive another. */
  #hasToChange({ kind, rtpParameters }: types.Producer): boolean {
    const received = (codec?: { mimeType: string }) => this.#receivable.has(codec?.mimeType.toLowerCase() ?? '');
    return kind === 'video' && !received(rtpParameters.codecs[0]) && received(this.#videoCodec());
  }

  /** The first that everybody can receive; if there is none, the one that is preferred here. */
  #videoCodec(): types.RtpCodecCapability | undefined {
    const [preferred] = this.#videoCodecs;
    return this.#videoCodecs.find(({ mimeType }) => this.#receivable.has(mimeType.toLowerCase())) ?? preferred;
  }

  /** `former` sends the same with another codec until then. */
  async #produce(
    source: Source,
    publication: Publication,
    transport: types.Transport,
    track: MediaStreamTrack,
    former?: types.Producer,
  ): Promise<void> {
    const codec = this.#videoCodec();
    const mimeType = codec?.mimeType ?? 'video/VP8';
    const producing = new AbortController();
    const appData: AppData = { source, paused: publication.paused, signal: producing.signal };
    publication.producing?.abort();
    publication.producing = producing;
    try {
      const producer = await transport.produce({
        track,
        ...(track.kind === 'video'
          ? {
              encodings:
                source === 'camera'
                  ? cameraEncodings(track.getSettings().height ?? 0, mimeType)
                  : screenEncodings(mimeType),
              codecOptions: VIDEO_CODEC,
              ...(codec && { codec }),
            }
          : { codecOptions: source === 'mic' ? SPEECH_CODEC : SCREEN_AUDIO_CODEC }),
        // Tracks belong to who made them.
        stopTracks: false,
        appData,
      });
      if (transport !== this.#transport) {
        publication.producing = undefined;
        producer.close();
        return;
      }
      publication.producer = producer;
      if (this.#publications.get(source) !== publication) this.#stale.set(source, producer);
      else if (publication.paused) producer.pause();
      else producer.resume();
      void this.#taken(source, publication, producer, former);
    } catch (thrown) {
      publication.producing = undefined;
      throw thrown;
    }
  }

  /** Waits until the server has a producer, or does not take it. */
  async #taken(
    source: Source,
    publication: Publication,
    producer: types.Producer,
    former: types.Producer | undefined,
  ): Promise<void> {
    const { answer, paused, signal } = producer.appData as AppData;
    const transport = this.#transport;
    try {
      await answer;
      if (signal.aborted) return;
      publication.serverPaused = paused;
      // Not before, so that the picture stays until the server has the new one, which it took in place of this one.
      former?.close();
    } catch (thrown) {
      if (signal.aborted) return;
      producer.close();
      publication.producer = former;
      const failure = Failure.from(thrown);
      // A session that ended is followed by a welcome, which runs everything again; so does another transport.
      if (failure.code !== 'closed' && transport === this.#transport) this.#onFailure(source, failure);
    } finally {
      if (publication.producing?.signal === signal) publication.producing = undefined;
      if (this.#publications.get(source) !== publication) former?.close();
    }
    if (publication.producer === producer) void this.#run(source);
  }
}

/** Silent or not, as far as this client goes. */
function pauseHere(publication: Publication, paused: boolean): void {
  publication.paused = paused;
  if (publication.track) publication.track.enabled = !paused;
  if (paused) publication.producer?.pause();
  else publication.producer?.resume();
}
