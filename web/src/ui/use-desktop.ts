import { useEffect } from 'react';
import { connectDesktop } from '../state/desktop';
import type { RoomSession } from '../state/room-session';

/** Connects the meeting with the desktop client, where that shows the page. */
export function useDesktop(session: RoomSession): void {
  useEffect(() => connectDesktop(session), [session]);
}
