/** Whether the server takes `text` as the name of a room. */
export function isRoomName(text: string): boolean {
  return /^[a-z0-9_-]{1,64}$/.test(text);
}
