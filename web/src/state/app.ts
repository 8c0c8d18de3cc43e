import { PreferenceStore } from './preferences';
import { roomOfPath, roomPath } from './room-name';
import { RoomSession } from './room-session';
import { Store } from './store';

/** What is wrong with an address that shows the start page instead. */
export type BadLink = 'name' | 'path';

export type Page = { name: 'start'; badLink: BadLink | undefined } | { name: 'room'; session: RoomSession };

/** Which page is shown, from the address. */
export class App extends Store<Page> {
  readonly preferences = new PreferenceStore();

  constructor() {
    super({ name: 'start', badLink: undefined });
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
    const room = roomOfPath(location.pathname);
    if (before.name === 'room') {
      if (before.session.room === room) return;
      before.session.close();
    }
    if (room === undefined) {
      const isRoomPath = /^\/r\/[^/]+\/?$/.test(location.pathname);
      this.set({ name: 'start', badLink: location.pathname === '/' ? undefined : isRoomPath ? 'name' : 'path' });
      return;
    }
    if (location.pathname !== roomPath(room)) history.replaceState(null, '', roomPath(room) + location.search);
    const session = new RoomSession(room, { preferences: this.preferences });
    this.set({ name: 'room', session });
    void session.open({ reloaded });
  }
}
