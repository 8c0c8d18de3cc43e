import { useEffect } from 'react';

/** Keeps the screen on while it shows a meeting: nobody touches a phone that they listen to. */
export function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    let closed = false;
    const release = (held: WakeLockSentinel | undefined) => void held?.release().catch(() => {});
    // The browser takes the lock away from a page that is hidden, and may refuse it, as when the battery is low.
    const acquire = async () => {
      if (document.visibilityState !== 'visible') return;
      const acquired = await navigator.wakeLock?.request('screen').catch(() => undefined);
      if (closed) release(acquired);
      else lock = acquired;
    };
    void acquire();
    document.addEventListener('visibilitychange', acquire);
    return () => {
      closed = true;
      document.removeEventListener('visibilitychange', acquire);
      release(lock);
    };
  }, []);
}
