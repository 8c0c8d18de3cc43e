import { io } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSocket } from './socket';

vi.mock('socket.io-client', () => ({ io: vi.fn() }));

type Listener = (...args: unknown[]) => void;

/** Of the library, as far as it is used. */
class FakeSocket {
  readonly #listeners = new Map<string, Listener>();
  #any: Listener | undefined;
  readonly io = { engine: { on: () => {} } };
  readonly disconnect = vi.fn();
  on(event: string, listener: Listener) {
    this.#listeners.set(event, listener);
  }
  once = this.on;
  onAny(listener: Listener) {
    this.#any = listener;
  }
  offAny() {
    this.#any = undefined;
  }
  off(event?: string) {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
  }
  emit() {}
  comes(event: string, data?: unknown) {
    if (event !== 'disconnect') this.#any?.(event, data);
    this.#listeners.get(event)?.(data);
  }
}

function open(signal?: AbortSignal) {
  const socket = new FakeSocket();
  vi.mocked(io).mockReturnValue(socket as never);
  const auth = { token: 't', resume: { seq: 0 } };
  const url = 'http://localhost';
  const opened = openSocket({ url, path: '/socket.io/', auth, pollingFirst: false, signal });
  return { socket, opened };
}

const WELCOME = { ok: true, data: { participantId: 'me' } };

describe('openSocket', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('keeps what comes in one piece with the welcome until somebody listens', async () => {
    const { socket, opened } = open();
    socket.comes('welcome', WELCOME);
    socket.comes('participantLeft', { seq: 2 });
    socket.comes('disconnect');
    const heard: unknown[] = [];
    const { listen } = await opened;
    listen({
      notified: (event, data) => heard.push([event, data]),
      welcomed: (welcome) => heard.push(welcome),
      lost: () => heard.push('lost'),
    });
    expect(heard).toEqual([['participantLeft', { seq: 2 }], 'lost']);
  });

  it('is open while it waits, for as long as that takes, and tells of the welcome', async () => {
    const { socket, opened } = open();
    socket.comes('waiting', { participantId: 'me', sessionToken: 'w' });
    const { opening, listen } = await opened;
    expect(opening).toEqual({ waiting: { participantId: 'me', sessionToken: 'w' } });
    const heard: unknown[] = [];
    listen({ notified: () => heard.push('other'), welcomed: (welcome) => heard.push(welcome), lost: () => {} });
    socket.comes('welcome', WELCOME);
    expect(heard).toEqual([WELCOME.data]);
  });

  it('tells nobody of a socket that was closed', async () => {
    const { socket, opened } = open();
    socket.comes('welcome', WELCOME);
    const heard = vi.fn();
    const { listen, close } = await opened;
    listen({ notified: heard, welcomed: heard, lost: heard });
    close();
    socket.comes('participantLeft', { seq: 2 });
    socket.comes('disconnect');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(heard).not.toHaveBeenCalled();
  });

  it('is given up by its signal, and by itself after 6 s', async () => {
    const giveUp = new AbortController();
    const [one, other] = [open(giveUp.signal), open()];
    const unreachable = { code: 'unreachable', retryable: true };
    const both = Promise.all([one, other].map(({ opened }) => expect(opened).rejects.toMatchObject(unreachable)));
    giveUp.abort();
    await vi.advanceTimersByTimeAsync(5_900);
    expect([one, other].map(({ socket }) => socket.disconnect.mock.calls.length)).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(200);
    await both;
    expect(other.socket.disconnect).toHaveBeenCalledOnce();
  });

  it('survives its signal once it was welcomed', async () => {
    const giveUp = new AbortController();
    const { socket, opened } = open(giveUp.signal);
    socket.comes('welcome', WELCOME);
    const { close } = await opened;
    giveUp.abort();
    expect(socket.disconnect).not.toHaveBeenCalled();
    close();
  });
});
