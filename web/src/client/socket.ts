import { io, type Socket } from 'socket.io-client';
import { Failure, isErrorBody } from './failure';
import { Heartbeat } from './heartbeat';
import type { Ack, ConnectAuth, NotificationEvent, NotificationMap, Waiting, Welcome } from './protocol';
import type { Send } from './request-queue';

const WELCOME_MS_MAX = 6_000;

/** What a socket tells its owner. */
export interface SocketListener {
  notified<E extends NotificationEvent>(event: E, data: NotificationMap[E]): void;
  /** Whoever had to wait is in. */
  welcomed(welcome: Welcome): void;
  /** The socket is of no use any more. Called once, never after `close`. */
  lost(): void;
}

/** A socket that was welcomed, or whose client has to be let in first. */
export interface OpenSocket {
  readonly opening: { welcome: Welcome } | { waiting: Waiting };
  readonly send: Send;
  /** Tells `listener` from now on, and first what came since the opening. */
  listen(listener: SocketListener): void;
  /** Tells the server that this page is being closed or reloaded, as the last thing that it does. */
  closing(): void;
  close(): void;
}

export interface SocketOptions {
  url: string;
  path: string;
  auth: ConnectAuth;
  /** For networks in which WebSockets do not come through. */
  pollingFirst: boolean;
  /** Gives the attempt up. Of no meaning after the opening. */
  signal?: AbortSignal | undefined;
}

/**
 * Opens one Socket.IO connection and waits for its welcome, or for the word that it has to wait for that. The library's own reconnection is off: who owns the
 * socket decides when to come back, and with which token. Rejects with a `Failure`.
 */
export function openSocket(options: SocketOptions): Promise<OpenSocket> {
  const socket: Socket = io(options.url, {
    path: options.path,
    auth: options.auth,
    transports: options.pollingFirst ? ['polling', 'websocket'] : ['websocket', 'polling'],
    tryAllTransports: true,
    reconnection: false,
    forceNew: true,
    timeout: WELCOME_MS_MAX,
  });
  let heartbeat: Heartbeat | undefined;
  let listener: SocketListener | undefined;
  const early: ((listener: SocketListener) => void)[] = [];
  // By long-polling the first notifications come in one piece with the welcome, before anybody could listen.
  const tell = (news: (listener: SocketListener) => void) => {
    if (listener) news(listener);
    else early.push(news);
  };

  const close = () => {
    heartbeat?.stop();
    socket.offAny();
    socket.off();
    socket.disconnect();
  };

  return new Promise((resolve, reject) => {
    const stopWaiting = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', unreachable);
    };
    const fail = (failure: Failure) => {
      stopWaiting();
      close();
      reject(failure);
    };
    const unreachable = () => fail(new Failure('unreachable', `${options.url} does not answer`, true));
    const timer = setTimeout(unreachable, WELCOME_MS_MAX);
    options.signal?.addEventListener('abort', unreachable);

    socket.on('connect_error', (error: Error & { data?: unknown }) => {
      if (isErrorBody(error.data)) fail(Failure.of(error.data));
      else unreachable();
    });
    socket.on('disconnect', unreachable);
    socket.once('welcome', (answer: Ack<Welcome> | undefined) => {
      if (answer?.ok === true) opened({ welcome: answer.data });
      else fail(isErrorBody(answer?.error) ? Failure.of(answer.error) : new Failure('internal', 'an unknown welcome'));
    });
    socket.once('waiting', (waiting: Waiting) => {
      socket.off('welcome');
      opened({ waiting });
    });

    const opened = (opening: OpenSocket['opening']) => {
      stopWaiting();
      socket.off('disconnect');
      socket.off('connect_error');

      const lost = () => {
        close();
        tell((to) => to.lost());
      };
      heartbeat = new Heartbeat(() => socket.emit('beat', () => heartbeat?.heard()), lost);
      socket.io.engine.on('packet', () => heartbeat?.heard());
      socket.on('disconnect', lost);
      socket.onAny((event, data) => {
        if (event === 'welcome') tell((to) => to.welcomed((data as { data: Welcome }).data));
        else tell((to) => to.notified(event as NotificationEvent, data));
      });

      const send: Send = (event, envelope, acknowledge) => socket.emit(event, envelope, acknowledge);
      const closing = () => {
        const { id, transport } = socket.io.engine;
        if (transport.name !== 'polling') {
          socket.emit('closing');
          return;
        }
        // A request of a page that goes away is cancelled; a beacon is not.
        const poll = new URL(options.path, options.url);
        poll.search = new URLSearchParams({ EIO: '4', transport: 'polling', sid: id ?? '' }).toString();
        navigator.sendBeacon(poll, '42["closing"]');
      };
      const listen = (to: SocketListener) => {
        listener = to;
        for (const news of early.splice(0)) news(to);
      };
      resolve({ opening, send, listen, closing, close });
    };
  });
}
