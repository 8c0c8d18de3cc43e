import { Failure, type FailureCode, isErrorBody } from './failure';
import type { Ack, Envelope, RequestData, RequestEvent, RequestReply } from './protocol';

/** Puts one request on the wire and calls `acknowledge` with whatever comes back. */
export type Send = (event: RequestEvent, envelope: Envelope, acknowledge: (answer: unknown) => void) => void;

interface Pending {
  readonly n: number;
  readonly event: RequestEvent;
  readonly data: unknown;
  readonly resolve: (data: never) => void;
  readonly reject: (failure: Failure) => void;
  readonly patient: boolean;
  attempts: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const TIMEOUT_MS = 10_000;
const RETRY_DELAYS_MS = [300, 700, 1500, 3000, 5000];
/** What the server says while it cannot do it, however long that is. */
const PASSING: FailureCode[] = ['log_unavailable', 'draining', 'rate_limited'];
/** What a node says that does not have the session any more. */
const ELSEWHERE: FailureCode[] = ['superseded', 'not_joined'];
/** With it, what is asked for patiently succeeds within 5 s of the log's return. */
const PATIENT_DELAY_MS_MAX = 2_000;
const IN_FLIGHT_MAX = 32;
/** The server remembers the outcomes of the last 64 requests of a session; what is repeated must be among them. */
const NUMBERS_IN_FLIGHT_MAX = 56;
/** What the server carries out each time that it is asked for, whatever the number, and remembers no outcome of. */
const ANY_NUMBER: RequestEvent[] = [
  'leave',
  'setPreferredLayers',
  'setPriority',
  'pauseConsumer',
  'resumeConsumer',
  'restartIce',
  'getStats',
  'signal',
];

export interface RequestOptions {
  /** Asks for as long as the session lasts, for what must not be lost and not be done twice. */
  patient?: boolean;
  /** Aborted when something newer is asked for: it is not asked again, and rejects with `superseded`. */
  signal?: AbortSignal;
}

/**
 * The requests of one session. Each keeps its number from first to last try, so the server carries it out once,
 * however often it is sent: after a retryable error, and after a resume if its answer was lost.
 */
export class RequestQueue {
  #n = 0;
  #send: Send | undefined;
  readonly #waiting: Pending[] = [];
  readonly #sent = new Map<number, Pending>();

  /**
   * Rejects with the server's error, `timeout` after 10 s without an answer on a living socket, or `closed`. What is
   * asked for with `patient` is repeated instead after a timeout, and after errors that pass by themselves.
   */
  request<E extends RequestEvent>(
    event: E,
    data: RequestData<E>,
    { patient = false, signal }: RequestOptions = {},
  ): Promise<RequestReply<E>> {
    return new Promise((resolve, reject) => {
      this.#n += 1;
      const pending = { n: this.#n, event, data, resolve, reject, patient, attempts: 0, timer: undefined };
      // Whoever leaves wants nothing else any more.
      if (event === 'leave') this.#waiting.unshift(pending);
      else this.#waiting.push(pending);
      signal?.addEventListener('abort', () => this.#giveUp(pending), { once: true });
      this.#pump();
    });
  }

  /** A socket is there: sends again, in order, what has no answer yet, then what waits. */
  open(send: Send): void {
    this.hold();
    this.#send = send;
    for (const pending of this.#sent.values()) this.#transmit(pending);
    this.#pump();
  }

  /** The socket is gone: requests wait for the next `open`. */
  hold(): void {
    this.#send = undefined;
    for (const pending of this.#sent.values()) clearTimeout(pending.timer);
  }

  /** The session is over: everything is rejected and the next session counts from 1. */
  reset(failure: Failure): void {
    this.hold();
    const all = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting.length = 0;
    this.#n = 0;
    for (const pending of all) pending.reject(failure);
  }

  #pump(): void {
    while (this.#send && this.#sent.size < IN_FLIGHT_MAX) {
      const oldest = Math.min(...this.#sent.keys());
      const isFar = ({ n }: Pending) => n - oldest >= NUMBERS_IN_FLIGHT_MAX;
      const next = this.#waiting.findIndex((pending) => !isFar(pending) || ANY_NUMBER.includes(pending.event));
      const [pending] = next < 0 ? [] : this.#waiting.splice(next, 1);
      if (!pending) return;
      this.#sent.set(pending.n, pending);
      this.#transmit(pending);
    }
  }

  #transmit(pending: Pending): void {
    const send = this.#send;
    if (!send) return;
    clearTimeout(pending.timer);
    pending.timer = setTimeout(() => {
      if (pending.patient) this.#transmit(pending);
      else this.#settle(pending, () => pending.reject(new Failure('timeout', `${pending.event} got no answer`, true)));
    }, TIMEOUT_MS);
    send(pending.event, { n: pending.n, data: pending.data }, (answer) => {
      // An answer that comes by a socket that was given up still counts: the number makes it the same request.
      this.#acknowledged(pending, answer as Ack<never>);
    });
  }

  #acknowledged(pending: Pending, answer: Ack<never>): void {
    if (this.#sent.get(pending.n) !== pending) return;
    if (answer?.ok === true) {
      this.#settle(pending, () => pending.resolve(answer.data));
      return;
    }
    const failure = isErrorBody(answer?.error)
      ? Failure.of(answer.error)
      : new Failure('internal', `${pending.event} got an answer of an unknown shape`);
    // The session goes on at another node, which is asked for it by the next `open`.
    if (!this.#send && ELSEWHERE.includes(failure.code)) return;
    const delay = delayBeforeRetry(pending, failure);
    if (!failure.retryable || delay === undefined) {
      this.#settle(pending, () => pending.reject(failure));
      return;
    }
    pending.attempts += 1;
    clearTimeout(pending.timer);
    pending.timer = setTimeout(() => this.#transmit(pending), delay);
  }

  #giveUp(pending: Pending): void {
    const waits = this.#waiting.indexOf(pending);
    if (waits >= 0) this.#waiting.splice(waits, 1);
    const finish = () => pending.reject(new Failure('superseded', `${pending.event} gives way to something newer`));
    if (waits >= 0) finish();
    else this.#settle(pending, finish);
  }

  #settle(pending: Pending, finish: () => void): void {
    clearTimeout(pending.timer);
    if (this.#sent.get(pending.n) !== pending) return;
    this.#sent.delete(pending.n);
    finish();
    this.#pump();
  }
}

/** `undefined` where it was tried often enough. */
function delayBeforeRetry({ attempts, event, patient }: Pending, { code }: Failure): number | undefined {
  // What was of a moment is not shown later.
  if (event === 'signal') return undefined;
  const delay = RETRY_DELAYS_MS[attempts];
  if (!patient || !PASSING.includes(code)) return delay;
  return Math.min(delay ?? PATIENT_DELAY_MS_MAX, PATIENT_DELAY_MS_MAX);
}
