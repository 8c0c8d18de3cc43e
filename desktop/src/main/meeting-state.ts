import type { DesktopMeeting } from '../../../web/src/state/desktop-api';
import { isRoomName } from '../shared/room-name';

export type { DesktopMeeting };

/** Reads what the server's page says of its meeting; `undefined` for what says nothing. */
export function readMeeting(value: unknown): DesktopMeeting | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { inMeeting, micOn, room } = value as Partial<Record<keyof DesktopMeeting, unknown>>;
  if (typeof inMeeting !== 'boolean' || typeof micOn !== 'boolean') return undefined;
  if (typeof room !== 'string' || !isRoomName(room)) return undefined;
  return { inMeeting, micOn, room };
}
