import type { Session, WebPreferences } from 'electron';
import { app } from 'electron';

/** What every window has. Most of it is Electron's default, and written down so that none of it changes unseen. */
export function hardened(more: Pick<WebPreferences, 'partition' | 'preload'>): WebPreferences {
  return {
    ...more,
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInSubFrames: false,
    nodeIntegrationInWorker: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    devTools: !app.isPackaged,
  };
}

/** Its dictionaries would be downloaded from elsewhere. */
export function withoutSpelling(session: Session): Session {
  session.setSpellCheckerEnabled(false);
  return session;
}
