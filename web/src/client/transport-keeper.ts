import type { types } from 'mediasoup-client';
import type { Failure } from './failure';
import type { IceParameters } from './protocol';

const DISCONNECTED_MS_MAX = 2_000;
const RESTARTED_MS_MAX = 8_000;

export interface TransportRescue {
  /** New credentials from the server; waits while the socket is away. */
  restartIce(): Promise<IceParameters>;
  /** Nothing helps: a new transport is needed. */
  replace(): void;
}

/**
 * Watches a transport's path: two seconds without it, or a failure, restart ICE; if that does not bring it back
 * the transport is given up.
 */
export function keepTransport(transport: types.Transport, rescue: TransportRescue): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let restarting = false;

  const after = (delay: number, action: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(action, delay);
  };
  const giveUp = () => {
    if (!transport.closed && transport.connectionState !== 'connected') rescue.replace();
  };
  const restart = async () => {
    if (restarting || transport.closed) return;
    restarting = true;
    try {
      const iceParameters = await rescue.restartIce();
      if (transport.closed) return;
      // It waits behind what is being published, which the room's log may hold up.
      after(RESTARTED_MS_MAX, giveUp);
      await transport.restartIce({ iceParameters });
    } catch (thrown) {
      // When the session ended instead, the next welcome brings new transports anyway.
      if ((thrown as Failure).code !== 'closed') giveUp();
    } finally {
      restarting = false;
    }
  };

  transport.on('connectionstatechange', (state) => {
    if (state === 'connected' || state === 'closed') clearTimeout(timer);
    else if (state === 'disconnected') after(DISCONNECTED_MS_MAX, restart);
    else if (state === 'failed') void restart();
  });
  transport.observer.on('close', () => clearTimeout(timer));
}
