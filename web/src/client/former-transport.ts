import type { types } from 'mediasoup-client';

/** How long a transport goes on beside the one that took its place, once that is connected: until everybody gets from
 *  there what this one sent. */
const BESIDE_MS = 1_500;
/** And how long at most, connected or not. */
const FORMER_MS_MAX = 8_000;

/** Closes a sending transport that another one takes the place of, when it is not needed any more. */
export function retire(former: types.Transport, next: types.Transport): void {
  const close = () => {
    clearTimeout(timer);
    former.close();
  };
  const timer = setTimeout(close, FORMER_MS_MAX);
  next.on('connectionstatechange', (state) => {
    if (state === 'connected') setTimeout(close, BESIDE_MS);
  });
  next.observer.on('close', close);
}
