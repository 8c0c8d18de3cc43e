import { app, type MenuItemConstructorOptions } from 'electron';
import type { Texts } from '../texts';
import type { DesktopMeeting } from './meeting-state';

export interface MenuActions {
  show(): void;
  toggleMute(): void;
  chooseServer(): void;
  reload(): void;
}

/** What the tray and the menu bar have in common. `shortcut` where it works. */
export function meetingItems(
  texts: Texts,
  meeting: DesktopMeeting | undefined,
  shortcut: string | undefined,
  actions: MenuActions,
): MenuItemConstructorOptions[] {
  return [
    { id: 'show', label: texts.menu.show, click: actions.show },
    {
      id: 'mute',
      label: meeting?.micOn === false ? texts.menu.unmute : texts.menu.mute,
      enabled: meeting !== undefined,
      click: actions.toggleMute,
      // The keys are the global shortcut's; here they are only shown.
      ...(shortcut !== undefined && { accelerator: shortcut, registerAccelerator: false }),
    },
  ];
}

/** The menu bar. */
export function applicationMenu(
  texts: Texts,
  meeting: MenuItemConstructorOptions[],
  actions: MenuActions,
): MenuItemConstructorOptions[] {
  return [
    {
      label: 'Hyperion',
      submenu: [
        ...meeting,
        { type: 'separator' },
        { id: 'choose-server', label: texts.menu.chooseServer, click: actions.chooseServer },
        { type: 'separator' },
        { role: 'quit', label: texts.menu.quit },
      ],
    },
    // Without these, keys for copying and pasting do nothing on a Mac.
    { role: 'editMenu', label: texts.menu.edit },
    {
      label: texts.menu.view,
      submenu: [
        { label: texts.menu.reload, accelerator: 'CommandOrControl+R', click: actions.reload },
        { role: 'resetZoom', label: texts.menu.resetZoom },
        { role: 'zoomIn', label: texts.menu.zoomIn },
        { role: 'zoomOut', label: texts.menu.zoomOut },
        { role: 'togglefullscreen', label: texts.menu.fullScreen },
        ...(app.isPackaged ? [] : [{ role: 'toggleDevTools' } as const]),
      ],
    },
  ];
}
