import { join } from 'node:path';
import { app, BrowserWindow, Menu, Notification } from 'electron';
import { type DeepLink, isSameServer } from '../shared/deep-link';
import type { Answers, PageName, Question } from '../shared/question';
import { parse } from '../shared/server-address';
import { textsFor } from '../texts';
import { ask } from './ask';
import type { DesktopMeeting } from './meeting-state';
import { MeetingWindow } from './meeting-window';
import { applicationMenu, type MenuActions, meetingItems } from './menu';
import { MuteShortcut } from './mute-shortcut';
import { SettingsFile } from './settings';
import { MeetingTray } from './tray';
import { CertificateGuard } from './trust';

/** The application from when it is ready to its end: one server, one window with its page. */
export class Desktop {
  readonly #folder: string;
  readonly #language = app.getLocale();
  readonly #texts = textsFor(this.#language);
  readonly #settings = new SettingsFile(join(app.getPath('userData'), 'settings.json'));
  readonly #certificates = new CertificateGuard(
    (host) => this.#settings.get().pins[host],
    () => this.#window && void this.#failed(this.#window, ''),
  );
  readonly #tray: MeetingTray;
  readonly #shortcut = new MuteShortcut(this.#settings.get().muteShortcut, () => this.#actions.toggleMute());
  readonly #actions: MenuActions = {
    show: () => this.#window?.focus(),
    toggleMute: () => this.#toggleMute(),
    chooseServer: () => {
      if (!this.#asking) void this.#choose('');
    },
    reload: () => this.#window?.reload(),
  };
  /** The server of this run: that of the settings, or what the command line says. */
  #server: string | undefined;
  #window: MeetingWindow | undefined;
  #meeting: DesktopMeeting | undefined;
  /** Whether somebody who does not look at the window waits to learn what the microphone does now. */
  #tellMicrophone = false;
  /** Whether somebody is being asked: of one thing at a time, and the application does not end meanwhile. */
  #asking = false;
  /** The window whose failure somebody is being asked about. */
  #failing: MeetingWindow | undefined;

  constructor(folder: string, server: string | undefined) {
    this.#folder = folder;
    this.#server = server ?? this.#settings.get().server;
    this.#tray = new MeetingTray(folder, this.#texts, this.#actions.show);
    this.#showMeeting();
  }

  /** Shows the server's page, that of the link's room where there is one, and asks for a server before if there is
   *  none. */
  async open(link?: DeepLink): Promise<void> {
    if (this.#asking) {
      BrowserWindow.getAllWindows().at(-1)?.focus();
    } else if (link && (this.#server === undefined || !isSameServer(link.server, this.#server))) {
      await this.#choose(link.server, link.room);
    } else if (this.#server === undefined) {
      await this.#choose('');
    } else if (link) {
      await this.#openRoom(link.room);
    } else if (this.#window) {
      this.#window.focus();
    } else {
      this.#openWindow(this.#server).open();
    }
  }

  async #openRoom(room: string): Promise<void> {
    const window = this.#window;
    window?.focus();
    if (window && this.#meeting) {
      const { room: from } = this.#meeting;
      if (from === room || (await this.#ask({ page: 'switch', from, to: room })) !== 'leave') return;
    }
    if (this.#server !== undefined) (this.#window ?? this.#openWindow(this.#server)).open(room);
  }

  /** Asks which server to use; with `room`, because a link leads to another one. */
  async #choose(address: string, room?: string): Promise<void> {
    const linked = room !== undefined;
    const answer = await this.#ask({ page: 'choose', address, linked, current: this.#server });
    if (!answer) {
      if (!this.#window?.window.isVisible()) app.quit();
      return;
    }
    this.#settings.update({ server: answer.server });
    this.#server = answer.server;
    const before = this.#window;
    this.#openWindow(answer.server).open(linked && answer.server === address ? room : undefined);
    // The application ends with its last window, so this one goes when the next is there.
    before?.close();
  }

  #openWindow(server: string): MeetingWindow {
    const window: MeetingWindow = new MeetingWindow({
      server,
      folder: this.#folder,
      language: this.#language,
      texts: this.#texts,
      certificates: this.#certificates,
      onMeeting: (meeting) => this.#setMeeting(meeting),
      onFailure: (reason) => void this.#failed(window, reason),
      onClosed: () => {
        if (this.#window === window) this.#window = undefined;
        if (!this.#window && !this.#asking) app.quit();
      },
    });
    this.#window = window;
    return window;
  }

  /** The server's page could not be shown. */
  async #failed(window: MeetingWindow, reason: string): Promise<void> {
    // It may fail again meanwhile, as a page does that goes on trying.
    if (this.#failing === window) return;
    this.#failing = window;
    const host = parse(this.#server ?? '')?.host ?? '';
    const fingerprint = this.#certificates.takeRefused(host);
    const answer =
      fingerprint === undefined
        ? await this.#ask({ page: 'unreachable', host, reason })
        : await this.#ask({ page: 'trust', host, fingerprint, before: this.#settings.get().pins[host] });
    this.#failing = undefined;
    // What was refused meanwhile is the same, and nothing to be asked about when something else fails next.
    this.#certificates.takeRefused(host);
    if (this.#window !== window) return;
    switch (answer) {
      case 'trust':
        this.#settings.pin(host, fingerprint);
        window.reload();
        break;
      case 'retry':
        window.reload();
        break;
      case 'forget':
        this.#settings.pin(host, undefined);
        await this.#choose(this.#server ?? '');
        break;
      case 'other':
        await this.#choose('');
        break;
      default:
        app.quit();
    }
  }

  async #ask<P extends PageName>(question: Question & { page: P }): Promise<Answers[P] | undefined> {
    this.#asking = true;
    const over = this.#window?.window;
    try {
      return await ask<P>(question, {
        folder: this.#folder,
        language: this.#language,
        parent: over?.isVisible() ? over : undefined,
      });
    } finally {
      this.#asking = false;
    }
  }

  #toggleMute(): void {
    if (!this.#window || !this.#meeting) return;
    this.#tellMicrophone = !this.#window.window.isFocused();
    this.#window.toggleMute();
  }

  #setMeeting(meeting: DesktopMeeting | undefined): void {
    const before = this.#meeting;
    this.#meeting = meeting?.inMeeting ? meeting : undefined;
    this.#shortcut.setWanted(this.#meeting !== undefined);
    this.#showMeeting();
    if (this.#tellMicrophone && this.#meeting && before && this.#meeting.micOn !== before.micOn) {
      this.#tellMicrophone = false;
      const { muted, heard } = this.#texts.notifications;
      const notification = new Notification({ ...(this.#meeting.micOn ? heard : muted), silent: true });
      notification.on('click', this.#actions.show);
      notification.show();
    }
  }

  #showMeeting(): void {
    const keys = this.#shortcut.works ? this.#shortcut.keys : undefined;
    const items = meetingItems(this.#texts, this.#meeting, keys, this.#actions);
    const quit = { role: 'quit', label: this.#texts.menu.quit } as const;
    this.#tray.show(this.#meeting, [...items, { type: 'separator' }, quit]);
    Menu.setApplicationMenu(Menu.buildFromTemplate(applicationMenu(this.#texts, items, this.#actions)));
  }
}
