import { isRoomName } from './room-name';
import { lasting, type Shelf } from './storage';

export interface RecentMeeting {
  room: string;
  /** When it was last entered, in milliseconds since 1970. */
  at: number;
}

const KEY = 'hyperion.recent';
const RECENT_MAX = 5;

/** The meetings that were entered from this browser, the newest first. */
export function recentMeetings(shelf: Shelf = lasting): RecentMeeting[] {
  const stored = shelf.read(KEY);
  return Array.isArray(stored) ? stored.filter(isRecent).slice(0, RECENT_MAX) : [];
}

export function rememberMeeting(room: string, at: number, shelf: Shelf = lasting): void {
  shelf.write(
    KEY,
    [{ room, at }, ...recentMeetings(shelf).filter((recent) => recent.room !== room)].slice(0, RECENT_MAX),
  );
}

export function forgetMeeting(room: string, shelf: Shelf = lasting): void {
  shelf.write(
    KEY,
    recentMeetings(shelf).filter((recent) => recent.room !== room),
  );
}

function isRecent(value: unknown): value is RecentMeeting {
  if (typeof value !== 'object' || value === null) return false;
  const { room, at } = value as Partial<RecentMeeting>;
  return typeof room === 'string' && isRoomName(room) && typeof at === 'number';
}
