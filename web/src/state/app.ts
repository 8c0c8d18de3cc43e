import { parseRoom, roomPath } from './room-name';
import { RoomSession } from './room-session';
import { Store } from './store';

export type Page = { name: 'start'; badLink: boolean } | { name: 'room'; session: RoomSession };

/** Which page is shown, from the address. */
export class App extends Store<Page> {
  constructor() {
    super({ name: 'start', badLink: false });
    globalThis.addEventListener('popstate', () => this.#show());
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    this.#show(navigation?.type === 'reload');
  }

  /** Goes to another page of this client. */
  go(path: string): void {
    history.pushState(null, '', path + location.search);
    this.#show();
  }

  #show(reloaded = false): void {
    const before = this.get();
    const wanted = /^\/r\/(.+)$/.exec(location.pathname)?.[1];
    const room = wanted === undefined ? undefined : parseRoom(decode(wanted));
    if (before.name === 'room') {
      if (before.session.room === room) return;
      before.session.close();
    }
    if (room === undefined) {
      this.set({ name: 'start', badLink: location.pathname !== '/' });
      return;
    }
    if (location.pathname !== roomPath(room)) history.replaceState(null, '', roomPath(room) + location.search);
    const session = new RoomSession(room);
    this.set({ name: 'room', session });
    void session.open({ reloaded });
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
