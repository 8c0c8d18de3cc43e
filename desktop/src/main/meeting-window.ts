import { join } from 'node:path';
import { BrowserWindow, dialog, session } from 'electron';
import { LISTENS, MEETING, OPEN_ROOM, TOGGLE_MUTE } from '../shared/channels';
import type { Texts } from '../texts';
import { isOfServer } from './addresses';
import { guardContents } from './guard-contents';
import { isFrom } from './ipc';
import { type DesktopMeeting, readMeeting } from './meeting-state';
import { guardPermissions } from './permissions';
import { answerDisplayMedia } from './picker';
import type { CertificateGuard } from './trust';
import { hardened, withoutSpelling } from './web-preferences';

/** Chromium's number for a load that another one replaced. */
const ABORTED = -3;

export interface MeetingWindowOptions {
  server: string;
  folder: string;
  language: string;
  texts: Texts;
  certificates: CertificateGuard;
  onMeeting(meeting: DesktopMeeting | undefined): void;
  /** The server's page could not be shown; the reason in Chromium's words, as `ERR_CONNECTION_REFUSED`. */
  onFailure(reason: string): void;
  onClosed(): void;
}

/** The window with the server's page. It is shown when there is something to be seen. */
export class MeetingWindow {
  readonly window: BrowserWindow;
  readonly #server: string;
  /** Whether the page takes a room without being loaded anew. */
  #listens = false;
  /** The address that could not be shown; the window itself has another meanwhile, or none. */
  #failed: string | undefined;

  constructor(options: MeetingWindowOptions) {
    const { server, folder, language, texts, certificates, onMeeting, onFailure, onClosed } = options;
    this.#server = server;
    const partition = 'persist:server';
    this.window = new BrowserWindow({
      width: 1280,
      height: 800,
      minWidth: 360,
      minHeight: 400,
      show: false,
      title: 'Hyperion',
      autoHideMenuBar: true,
      webPreferences: hardened({ partition, preload: join(folder, 'server-page.cjs') }),
    });
    const { webContents } = this.window;
    const isRight = (address: string) => isOfServer(address, server);
    const pages = withoutSpelling(session.fromPartition(partition));
    guardPermissions(pages, () => server);
    answerDisplayMedia(pages, { folder, language, server, parent: this.window });
    guardContents(webContents, isRight);
    certificates.watch(webContents);

    webContents.ipc.on(MEETING, (event, value: unknown) => {
      const meeting = readMeeting(value);
      if (meeting && isFrom(event, webContents, isRight)) onMeeting(meeting);
    });
    webContents.ipc.on(LISTENS, (event, listens: unknown) => {
      if (isFrom(event, webContents, isRight)) this.#listens = listens === true;
    });
    webContents.on('did-start-navigation', ({ isMainFrame, isSameDocument }) => {
      if (!isMainFrame || isSameDocument) return;
      // Whatever the page before had said went with it.
      this.#listens = false;
      this.#failed = undefined;
      onMeeting(undefined);
    });
    webContents.on('did-fail-load', (_event, code, description, url, isMainFrame) => {
      if (!isMainFrame || code === ABORTED) return;
      this.#failed = url;
      this.window.hide();
      onFailure(description);
    });
    webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason === 'clean-exit') return;
      onMeeting(undefined);
      this.window.hide();
      onFailure(reason);
    });
    webContents.on('did-finish-load', () => {
      if (this.#failed === undefined) this.window.show();
    });
    webContents.on('will-prevent-unload', (event) => {
      const { leave, stay, unsaved } = texts.unload;
      const choice = dialog.showMessageBoxSync(this.window, {
        type: 'question',
        title: 'Hyperion',
        message: unsaved,
        buttons: [stay, leave],
        defaultId: 0,
        cancelId: 0,
      });
      if (choice === 1) event.preventDefault();
    });
    this.window.on('closed', () => {
      onMeeting(undefined);
      onClosed();
    });
  }

  /** Shows the start page, or a room's. */
  open(room?: string): void {
    if (room !== undefined && this.#listens) this.window.webContents.send(OPEN_ROOM, room);
    else this.#load(`${this.#server}/${room === undefined ? '' : `r/${room}`}`);
  }

  /** Loads the page anew, or tries again what could not be shown. */
  reload(): void {
    if (this.#failed === undefined) this.window.webContents.reload();
    else this.#load(this.#failed);
  }

  toggleMute(): void {
    this.window.webContents.send(TOGGLE_MUTE);
  }

  focus(): void {
    if (this.window.isMinimized()) this.window.restore();
    this.window.show();
    this.window.focus();
  }

  close(): void {
    this.window.destroy();
  }

  #load(address: string): void {
    // What fails is told by `did-fail-load`.
    this.window.loadURL(address).catch(() => {});
  }
}
