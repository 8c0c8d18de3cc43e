import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { Texts } from '../texts';
import type { DesktopMeeting } from './meeting-state';

/** The icon beside the clock: whether one is in a meeting, and whether one is heard there. */
export class MeetingTray {
  readonly #tray: Tray;
  readonly #folder: string;
  readonly #texts: Texts;

  constructor(folder: string, texts: Texts, onClick: () => void) {
    this.#folder = folder;
    this.#texts = texts;
    this.#tray = new Tray(this.#image(undefined));
    this.#tray.on('click', onClick);
  }

  show(meeting: DesktopMeeting | undefined, items: MenuItemConstructorOptions[]): void {
    this.#tray.setImage(this.#image(meeting));
    this.#tray.setToolTip(meeting ? this.#texts.tray.inMeeting(meeting.room, meeting.micOn) : 'Hyperion');
    this.#tray.setContextMenu(Menu.buildFromTemplate(items));
  }

  #image(meeting: DesktopMeeting | undefined) {
    const name = meeting ? (meeting.micOn ? 'tray-heard' : 'tray-muted') : 'tray';
    return nativeImage.createFromPath(join(this.#folder, 'icons', `${name}.png`));
  }
}
