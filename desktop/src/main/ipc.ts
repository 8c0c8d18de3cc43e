import type { IpcMainEvent, IpcMainInvokeEvent, WebContents } from 'electron';

/** Whether a message is from the main frame of a window's own page, and that page is where `isRight` wants it. Windows
 *  are told apart too: a page that got into another window has none of its rights. */
export function isFrom(
  { sender, senderFrame }: IpcMainEvent | IpcMainInvokeEvent,
  contents: WebContents,
  isRight: (address: string) => boolean,
): boolean {
  return sender === contents && senderFrame !== null && senderFrame.parent === null && isRight(senderFrame.url);
}
