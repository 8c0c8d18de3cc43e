import type { CDPSession } from '@playwright/test';
import type { Person } from './person.js';

/** What a page did while somebody watched. */
export interface PageWork {
  /** How often the server's description was applied, on the connections that were there and on new ones. */
  negotiations: { former: number; next: number };
  /** In ms. */
  longestTask: number;
  /** CPU time of the page's main thread, in ms. */
  mainThread: number;
  /** How often a tile that had a picture was looked at when it showed none, or had no sound: 50 looks in a second. */
  emptyTiles: number;
  silentTiles: number;
}

/** Watches from now on; returns a way to read what was seen. */
export async function watchWork(person: Person): Promise<() => Promise<PageWork>> {
  const session = await person.context.newCDPSession(person.page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await person.page.evaluate(watch);
  const before = await taskTime(session);
  return async () => {
    const mainThread = Math.round((await taskTime(session)) - before);
    const seen = await person.page.evaluate(() => (globalThis as unknown as { work(): PageWork }).work());
    await session.detach();
    return { ...seen, mainThread };
  };
}

async function taskTime(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0);
}

function watch(): void {
  const { peerConnections } = globalThis as unknown as { peerConnections: RTCPeerConnection[] };
  const formers = new Set(peerConnections);
  const negotiations = { former: 0, next: 0 };
  const { setRemoteDescription } = RTCPeerConnection.prototype as {
    setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void>;
  };
  RTCPeerConnection.prototype.setRemoteDescription = function (
    this: RTCPeerConnection,
    description: RTCSessionDescriptionInit,
  ) {
    negotiations[formers.has(this) ? 'former' : 'next'] += 1;
    return setRemoteDescription.call(this, description);
  };
  let longestTask = 0;
  const observer = new PerformanceObserver((tasks) => {
    for (const { duration } of tasks.getEntries()) longestTask = Math.max(longestTask, duration);
  });
  observer.observe({ type: 'longtask' });
  const pictured = new Set<Element>();
  let [emptyTiles, silentTiles] = [0, 0];
  const timer = setInterval(() => {
    for (const tile of document.querySelectorAll<HTMLElement>('[data-testid="tile"]:not([data-self="true"])')) {
      if (!tile.querySelector('.avatar')) pictured.add(tile);
      else if (pictured.has(tile)) emptyTiles += 1;
      const id = tile.dataset.participantId;
      const sounds = document.querySelectorAll<HTMLAudioElement>(`audio[data-participant-id="${id}"]`);
      const heard = [...sounds].some(
        ({ paused, readyState }) => !paused && readyState >= HTMLMediaElement.HAVE_CURRENT_DATA,
      );
      if (!heard) silentTiles += 1;
    }
  }, 20);
  const work = () => {
    clearInterval(timer);
    observer.disconnect();
    RTCPeerConnection.prototype.setRemoteDescription = setRemoteDescription;
    return { negotiations, longestTask, emptyTiles, silentTiles };
  };
  Object.assign(globalThis, { work });
}
