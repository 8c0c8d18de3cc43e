import { contextBridge, ipcRenderer } from 'electron';
import type { HyperionDesktop } from '../../../web/src/state/desktop-api';
import { LISTENS, MEETING, OPEN_ROOM, TOGGLE_MUTE } from '../shared/channels';

/** Calls back for what the main process sends, without its event, which would lead to more of Electron. */
function listen<A extends unknown[]>(channel: string, callback: (...args: A) => void): () => void {
  const listener = (_event: unknown, ...args: unknown[]) => callback(...(args as A));
  ipcRenderer.on(channel, listener);
  return () => ipcRenderer.removeListener(channel, listener);
}

const desktop: HyperionDesktop = {
  version: VERSION,
  setMeeting: ({ inMeeting, micOn, room }) => ipcRenderer.send(MEETING, { inMeeting, micOn, room }),
  onToggleMute: (toggle) => listen(TOGGLE_MUTE, () => toggle()),
  onOpenRoom: (open) => {
    const end = listen(OPEN_ROOM, (room: string) => open(room));
    ipcRenderer.send(LISTENS, true);
    return () => {
      end();
      ipcRenderer.send(LISTENS, false);
    };
  },
};

contextBridge.exposeInMainWorld('hyperionDesktop', desktop);
