import type { types } from 'mediasoup-client';
import { FirstMedia } from './first-media';
import { FormerConsumers } from './former-consumers';
import type { ConsumeResult, ConsumerId, NotificationData, ParticipantId, ProducerId } from './protocol';
import type { Requester } from './publisher';
import { participantOf, sourceOf } from './roster';

const CONSUME_MAX = 100;
const RETRY_MS = 1_000;
/** How long who publishes may take to change to a codec that this browser has, before it is said that it has not. */
const CHANGE_MS_MAX = 3_000;

/** The layer at which a picture is wanted, 0 the lowest, or nothing while nobody sees it. */
export type View = number | 'hidden';

/** A consumer, and what the server was told of it. */
interface Reception {
  consumer: types.Consumer;
  /** The layer that it was limited to; the server begins with the highest. */
  layer: number;
  flowing: boolean;
  /** How much of the path it has before others. */
  priority: number;
  adjusting: boolean;
  /** Whether its source was published anew since. */
  renewed: boolean;
  /** How well it comes here, and how well its source comes to the server: from 0 to 10. */
  score: number;
  producerScore: number;
}

const HIGHEST = 255;
/** Of who speaks: their picture is the first to become better when there is room for one. */
const PREFERRED = 3;
/** Of a shared screen: it is what all look at. */
const SCREEN = 5;
/** What arrives like this stutters. */
const WEAK_SCORE_MAX = 5;

/** What this client receives: it keeps a consumer for each wanted producer, on whatever transport there is. */
export class Subscriber {
  readonly #request: Requester;
  readonly #onTrack: (producerId: ProducerId, track: MediaStreamTrack | undefined) => void;
  readonly #onUnsupported: (producerId: ProducerId, unsupported: boolean) => void;
  readonly #receptions = new Map<ProducerId, Reception>();
  readonly #formers: FormerConsumers;
  readonly #views = new Map<ProducerId, View>();
  readonly #asked = new Set<ProducerId>();
  /** What this browser cannot receive: most likely it lacks the codec. With what will say so. */
  readonly #unsupported = new Map<ProducerId, ReturnType<typeof setTimeout>>();
  /** What was published anew while it was asked for: the answer may be about what it was before. */
  readonly #renewed = new Set<ProducerId>();
  #wanted: ReadonlySet<ProducerId> = new Set();
  #paused: ReadonlySet<ProducerId> = new Set();
  #preferred: ProducerId | undefined;
  #transport: types.Transport | undefined;
  #firstMedia: FirstMedia | undefined;
  #scheduled = false;

  constructor(
    request: Requester,
    onTrack: (producerId: ProducerId, track: MediaStreamTrack | undefined) => void,
    onUnsupported: (producerId: ProducerId, unsupported: boolean) => void,
  ) {
    this.#request = request;
    this.#onTrack = onTrack;
    this.#formers = new FormerConsumers((producerId) =>
      onTrack(producerId, this.#receptions.get(producerId)?.consumer.track),
    );
    this.#onUnsupported = onUnsupported;
  }

  /** The consumers that exist now, for statistics. */
  get consumers(): types.Consumer[] {
    return [...this.#receptions.values()].map(({ consumer }) => consumer);
  }

  /** The consumer of a producer, for statistics. */
  consumerOf(producerId: ProducerId): types.Consumer | undefined {
    return this.#receptions.get(producerId)?.consumer;
  }

  /** Receive exactly these; of those that are paused nothing comes now. What is new in one tick is asked for together. */
  want(producerIds: ReadonlySet<ProducerId>, paused: ReadonlySet<ProducerId> = new Set()): void {
    this.#wanted = producerIds;
    this.#paused = paused;
    for (const producerId of [...this.#receptions.keys(), ...this.#formers.producerIds]) {
      if (!producerIds.has(producerId)) this.#drop(producerId);
    }
    for (const producerId of this.#views.keys()) {
      if (!producerIds.has(producerId)) this.#views.delete(producerId);
    }
    for (const producerId of this.#unsupported.keys()) {
      // Should it come again, it may come with another codec.
      if (!producerIds.has(producerId)) this.#setUnsupported(producerId, false);
    }
    this.#schedule();
  }

  /** A source was published; perhaps anew, and with another codec. */
  published(producerId: ProducerId): void {
    const reception = this.#receptions.get(producerId);
    if (reception) reception.renewed = true;
    if (this.#asked.has(producerId)) this.#renewed.add(producerId);
    if (this.#unsupported.has(producerId)) this.#setUnsupported(producerId, false);
    this.#schedule();
  }

  /** How a picture is seen from now on; without a word it is received as large as it is. */
  view(producerId: ProducerId, view: View): void {
    if (!this.#wanted.has(producerId)) return;
    this.#views.set(producerId, view);
    // A failed request is made again with the next view, or with the consumer that follows.
    this.#adjust(producerId).catch(() => {});
  }

  /** Whose picture shall be the best from now on. */
  prefer(producerId: ProducerId): void {
    const before = this.#preferred;
    this.#preferred = producerId;
    for (const id of [before, producerId]) if (id) this.#adjust(id).catch(() => {});
  }

  /** The server says how well a consumer does. */
  scored({ consumerId, score, producerScore }: NotificationData<'consumerScore'>): void {
    for (const reception of this.#receptions.values()) {
      if (reception.consumer.id === consumerId) Object.assign(reception, { score, producerScore });
    }
  }

  /** Those whose network is weak: what they send does not arrive well at the server. */
  get weakSenders(): ParticipantId[] {
    return this.#flowing(({ producerScore }) => producerScore <= WEAK_SCORE_MAX).map(participantOf);
  }

  /** Those whose picture stands still, because nothing of it arrives at the server. */
  get stalledSenders(): ParticipantId[] {
    const stalled = this.#flowing(({ producerScore }) => producerScore === 0);
    return stalled.filter((producerId) => sourceOf(producerId) === 'camera').map(participantOf);
  }

  /** Whether one's own network is weak: half of what is received does not arrive well. */
  get weak(): boolean {
    const losing = this.#flowing(({ score }) => score <= WEAK_SCORE_MAX).length;
    return losing > 0 && losing >= this.#flowing(() => true).length / 2;
  }

  /**
   * Receives by this transport from now on; what was on the one before is asked for again. That one is closed when all of
   * it has come, so that what still comes by it is seen and heard, or its last pictures are, until then.
   */
  attach(transport: types.Transport): void {
    const former = this.#transport;
    this.#transport = transport;
    this.#firstMedia = new FirstMedia(transport);
    this.#asked.clear();
    this.#renewed.clear();
    for (const producerId of this.#unsupported.keys()) this.#setUnsupported(producerId, false);
    if (former) {
      for (const [producerId, { consumer }] of this.#receptions) this.#formers.keep(producerId, consumer, former);
      this.#formers.replaced(former);
    }
    this.#receptions.clear();
    this.#schedule();
  }

  /** The server ended a consumer. If its producer stays wanted there will be another, and its last picture until then. */
  closed(consumerId: ConsumerId): void {
    for (const [producerId, { consumer, renewed }] of this.#receptions) {
      if (consumer.id === consumerId) {
        this.#receptions.delete(producerId);
        if (!this.#transport || !this.#formers.keep(producerId, consumer, this.#transport)) consumer.close();
        // The news that the producer is gone, or there anew, may be on its way.
        setTimeout(() => this.#schedule(), renewed ? 0 : RETRY_MS);
      }
    }
  }

  #flowing(which: (reception: Reception) => boolean): ProducerId[] {
    const flowing = [...this.#receptions].filter(([, reception]) => reception.flowing && which(reception));
    return flowing.map(([producerId]) => producerId);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const missing = this.#missing([...this.#wanted]).filter((id) => !this.#asked.has(id));
      missing.sort((one, other) => this.#rank(one) - this.#rank(other));
      for (let from = 0; from < missing.length; from += CONSUME_MAX) {
        void this.#consume(missing.slice(from, from + CONSUME_MAX));
      }
    });
  }

  async #consume(producerIds: ProducerId[]): Promise<void> {
    const transport = this.#transport;
    if (!transport || transport.closed) return;
    for (const producerId of producerIds) this.#asked.add(producerId);
    try {
      const { consumers } = await this.#request('consume', { transportId: transport.id, producerIds });
      const batches = this.#receptions.size === 0 ? firstAndOthers(consumers) : [consumers];
      for (const batch of batches) {
        if (transport !== this.#transport) return;
        await Promise.all(batch.map((result) => this.#accept(transport, result)));
      }
    } catch {
      // A session that ended is followed by a welcome with the whole state; anything else is tried again below.
    }
    if (transport !== this.#transport) return;
    const renewed = producerIds.filter((producerId) => this.#renewed.delete(producerId));
    for (const producerId of renewed) if (this.#unsupported.has(producerId)) this.#setUnsupported(producerId, false);
    for (const producerId of producerIds) this.#asked.delete(producerId);
    if (this.#missing(renewed).length > 0) this.#schedule();
    else if (this.#missing(producerIds).length > 0) setTimeout(() => this.#schedule(), RETRY_MS);
  }

  /** What comes first: sound, then what is on the screen and who speaks. */
  #rank(producerId: ProducerId): number {
    const source = sourceOf(producerId);
    if (source === 'mic' || source === 'screenAudio') return 0;
    return source === 'screen' || producerId === this.#preferred ? 1 : 2;
  }

  #priority(producerId: ProducerId): number {
    if (sourceOf(producerId) === 'screen') return SCREEN;
    return producerId === this.#preferred ? PREFERRED : 1;
  }

  #missing(producerIds: ProducerId[]): ProducerId[] {
    return producerIds.filter((id) => this.#wanted.has(id) && !this.#receptions.has(id) && !this.#unsupported.has(id));
  }

  /** Never rejects: one producer that cannot be received must not take the others with it. */
  async #accept(transport: types.Transport, result: ConsumeResult): Promise<void> {
    const { producerId } = result;
    if ('error' in result) {
      if (result.error.code === 'unsupported_media') this.#setUnsupported(producerId, true);
      return;
    }
    let consumer: types.Consumer;
    try {
      consumer = await transport.consume(result);
    } catch {
      if (!transport.closed && transport === this.#transport) this.#setUnsupported(producerId, true);
      return;
    }
    const close = () => this.#request('closeConsumer', { consumerId: consumer.id }).catch(() => {});
    if (transport !== this.#transport || !this.#wanted.has(producerId)) {
      consumer.close();
      if (transport === this.#transport && !transport.closed) void close();
      return;
    }
    this.#receptions.set(producerId, {
      consumer,
      layer: HIGHEST,
      flowing: false,
      priority: 1,
      adjusting: false,
      renewed: false,
      score: 10,
      producerScore: 10,
    });
    if (this.#formers.has(producerId)) this.#succeed(producerId, consumer);
    else this.#onTrack(producerId, consumer.track);
    // Not after play(): it resolves with the first frame, which comes only after this.
    this.#adjust(producerId).catch(() => {
      if (this.#receptions.get(producerId)?.consumer !== consumer) return;
      this.#drop(producerId);
      void close();
      setTimeout(() => this.#schedule(), RETRY_MS);
    });
  }

  /** Tells the server how a picture is seen, until that is what it knows. */
  async #adjust(producerId: ProducerId): Promise<void> {
    const reception = this.#receptions.get(producerId);
    if (!reception || reception.adjusting) return;
    reception.adjusting = true;
    const consumerId = reception.consumer.id;
    try {
      while (this.#receptions.get(producerId) === reception) {
        const view = this.#views.get(producerId) ?? HIGHEST;
        const priority = this.#priority(producerId);
        if (view !== 'hidden' && view !== reception.layer) {
          await this.#request('setPreferredLayers', { consumerId, spatialLayer: view });
          reception.layer = view;
        } else if (priority !== reception.priority) {
          await this.#request('setPriority', { consumerId, priority });
          reception.priority = priority;
        } else if (reception.flowing !== (view !== 'hidden')) {
          const event = view === 'hidden' ? 'pauseConsumer' : 'resumeConsumer';
          await this.#request(event, { consumerId });
          reception.flowing = view !== 'hidden';
        } else {
          return;
        }
      }
    } finally {
      reception.adjusting = false;
    }
  }

  #setUnsupported(producerId: ProducerId, unsupported: boolean): void {
    clearTimeout(this.#unsupported.get(producerId));
    if (unsupported) {
      const say = () => {
        this.#formers.forget(producerId);
        this.#onUnsupported(producerId, true);
      };
      this.#unsupported.set(producerId, setTimeout(say, CHANGE_MS_MAX));
    } else {
      this.#unsupported.delete(producerId);
      this.#onUnsupported(producerId, false);
    }
  }

  #drop(producerId: ProducerId): void {
    const reception = this.#receptions.get(producerId);
    this.#receptions.delete(producerId);
    reception?.consumer.close();
    if (!this.#formers.forget(producerId) && reception) this.#onTrack(producerId, undefined);
  }

  /** Goes over to the consumer that takes the place of another, once something comes by it. */
  #succeed(producerId: ProducerId, next: types.Consumer): void {
    const goOver = () => {
      if (this.#receptions.get(producerId)?.consumer === next) this.#formers.forget(producerId);
    };
    // Of who is muted, or whose picture is hidden, nothing comes, and nothing is lost.
    if (this.#paused.has(producerId) || this.#views.get(producerId) === 'hidden') goOver();
    else this.#firstMedia?.watch(next, goOver);
  }
}

/**
 * Whose picture comes first, with their sound, and the others. `mediasoup-client` negotiates all that a transport has once
 * more after its first picture (for the probator), which is the same work again unless there is little; and the path is
 * made while the others are negotiated.
 */
function firstAndOthers(results: ConsumeResult[]): ConsumeResult[][] {
  const picture = results.find((result) => 'kind' in result && result.kind === 'video');
  if (!picture) return [results];
  const who = participantOf(picture.producerId);
  const isTheirs = ({ producerId }: ConsumeResult) => participantOf(producerId) === who;
  return [results.filter(isTheirs), results.filter((result) => !isTheirs(result))];
}
