import type { types } from 'mediasoup-client';
import type { ProducerId } from './protocol';

/** How long the last pictures stay on the screen: a track that ends turns black. */
const FORMER_MS_MAX = 8_000;
/** How long what something came in place of goes on, so that who shows it goes over without a gap. */
const SHOWN_MS = 500;

interface Former {
  consumer: types.Consumer;
  /** Its own: one that was replaced, or the present one. */
  transport: types.Transport;
}

/**
 * What is seen and heard until something comes by the consumers that take its place: consumers on transports that were
 * replaced, and those that the server ended.
 */
export class FormerConsumers {
  readonly #onGone: (producerId: ProducerId) => void;
  readonly #formers = new Map<ProducerId, Former>();
  readonly #replaced = new Set<types.Transport>();

  /** `onGone` is told whose former consumer is not to be shown any more. */
  constructor(onGone: (producerId: ProducerId) => void) {
    this.#onGone = onGone;
  }

  get producerIds(): ProducerId[] {
    return [...this.#formers.keys()];
  }

  has(producerId: ProducerId): boolean {
    return this.#formers.has(producerId);
  }

  /** Keeps one. False if another is there, for what is seen and heard is what came by the first of several. */
  keep(producerId: ProducerId, consumer: types.Consumer, transport: types.Transport): boolean {
    if (this.#formers.has(producerId)) return false;
    const former = { consumer, transport };
    this.#formers.set(producerId, former);
    setTimeout(() => {
      if (this.#formers.get(producerId) === former) this.forget(producerId);
    }, FORMER_MS_MAX);
    return true;
  }

  /** A transport was replaced, and is closed when nothing on it is needed any more. */
  replaced(transport: types.Transport): void {
    this.#replaced.add(transport);
    this.#closeUnused();
  }

  /** Something came in place of one, or it is not wanted any more. False if there was none. */
  forget(producerId: ProducerId): boolean {
    const former = this.#formers.get(producerId);
    if (!former) return false;
    this.#formers.delete(producerId);
    this.#onGone(producerId);
    setTimeout(() => {
      // Each that is closed for itself is a negotiation of all: on a transport that was replaced they end together.
      if (this.#replaced.has(former.transport)) this.#closeUnused();
      else former.consumer.close();
    }, SHOWN_MS);
    return true;
  }

  #closeUnused(): void {
    const used = new Set([...this.#formers.values()].map(({ transport }) => transport));
    for (const transport of this.#replaced) {
      if (used.has(transport)) continue;
      this.#replaced.delete(transport);
      transport.close();
    }
  }
}
