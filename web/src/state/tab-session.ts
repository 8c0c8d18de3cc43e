import { ofThisTab, type Shelf } from './storage';

const KEY = 'hyperion.session';

/** The stay that this tab is in, so that a reload comes back to it as the same participant. */
export interface TabSession {
  room: string;
  token: string;
}

export function tabSession(room: string, shelf: Shelf = ofThisTab): TabSession | undefined {
  const stored = shelf.read(KEY) as Partial<TabSession> | undefined;
  return stored?.room === room && typeof stored.token === 'string' ? { room, token: stored.token } : undefined;
}

export function keepTabSession(session: TabSession, shelf: Shelf = ofThisTab): void {
  shelf.write(KEY, session);
}

export function forgetTabSession(shelf: Shelf = ofThisTab): void {
  shelf.remove(KEY);
}
