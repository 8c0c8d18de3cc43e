import type { HyperionDesktop } from './desktop-api';
import { roomPath } from './room-name';
import type { RoomSession } from './room-session';

/** What the desktop client adds to the page it shows; there is nothing of it in a browser. */
export function desktopClient(): HyperionDesktop | undefined {
  return (globalThis as { hyperionDesktop?: HyperionDesktop }).hyperionDesktop;
}

/** Tells the desktop client of a meeting, and does what is asked for from its tray, its shortcut and by links. Returns
 *  what ends that, with the meeting. */
export function connectDesktop(
  session: RoomSession,
  desktop = desktopClient(),
  go: (path: string) => void = (path) => location.assign(path),
): () => void {
  if (!desktop) return () => {};
  const { room, media } = session;
  const tell = (inMeeting: boolean) => {
    const { on, track } = media.get().mic;
    desktop.setMeeting({ inMeeting, micOn: inMeeting && on && track !== undefined, room });
  };
  const ends = [
    media.subscribe(() => tell(true)),
    desktop.onToggleMute(() => void session.toggle('mic')),
    // Whoever opened a link has said that they want to leave.
    desktop.onOpenRoom((other) => {
      session.leave();
      go(roomPath(other));
    }),
  ];
  tell(true);
  return () => {
    for (const end of ends) end();
    tell(false);
  };
}
