/** What the desktop client's preload script gives to the server's page, and nothing else (desktop/src/preload). */
export interface HyperionDesktop {
  /** The desktop client's, as `0.1.0`. */
  readonly version: string;
  /** What the tray shows, and when the global shortcut is taken. */
  setMeeting(meeting: DesktopMeeting): void;
  /** Calls back when somebody mutes or unmutes from outside the page; returns what ends that. */
  onToggleMute(toggle: () => void): () => void;
  /** Calls back when a link leads to another room of this server; returns what ends that. */
  onOpenRoom(open: (room: string) => void): () => void;
}

export interface DesktopMeeting {
  inMeeting: boolean;
  micOn: boolean;
  /** The name of the room whose page is shown. */
  room: string;
}
