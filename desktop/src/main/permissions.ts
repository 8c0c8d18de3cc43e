import type { Session } from 'electron';
import { isOfServer } from './addresses';

/** What a page of the server may be given. Beside devices, screens, notifications and the full screen: writing plain
 *  text to the clipboard (a copied link), keeping the screen on in a meeting, and choosing a speaker. */
const ALLOWED: ReadonlySet<string> = new Set([
  'media',
  'display-capture',
  'notifications',
  'fullscreen',
  'clipboard-sanitized-write',
  'screen-wake-lock',
  'speaker-selection',
]);

/** Whether a page at `address` gets `permission`. */
export function isAllowed(permission: string, address: string, server: string): boolean {
  return ALLOWED.has(permission) && isOfServer(address, server);
}

/** Gives a session's pages what `isAllowed` says, and no device by USB, HID, serial line or Bluetooth. */
export function guardPermissions(session: Session, server: () => string): void {
  session.setPermissionRequestHandler((_contents, permission, callback, { requestingUrl, isMainFrame }) => {
    callback(isMainFrame && isAllowed(permission, requestingUrl, server()));
  });
  session.setPermissionCheckHandler((_contents, permission, origin) => isAllowed(permission, origin, server()));
  session.setDevicePermissionHandler(() => false);
}
