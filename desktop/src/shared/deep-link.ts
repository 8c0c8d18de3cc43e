import { isRoomName } from './room-name';
import { parse, readServerAddress } from './server-address';

export const SCHEME = 'hyperion';

/** A link that opens a room in this application. */
export interface DeepLink {
  /** The server's origin, as `https://meet.example.org`. */
  server: string;
  room: string;
}

/** Reads `hyperion://meet.example.org/r/room`; `undefined` for whatever else there is. Anybody can write such a link, so
 *  it names a server and a room and nothing more. */
export function readDeepLink(text: string): DeepLink | undefined {
  const url = parse(text);
  if (url?.protocol !== `${SCHEME}:` || url.username !== '' || url.password !== '') return undefined;
  const room = /^\/r\/([^/]+)\/?$/.exec(url.pathname)?.[1];
  if (room === undefined || !isRoomName(room)) return undefined;
  const address = readServerAddress(url.host);
  return 'server' in address ? { server: address.server, room } : undefined;
}

/** The first deep link among what a process was started with. */
export function deepLinkIn(args: readonly string[]): DeepLink | undefined {
  for (const arg of args) {
    const link = readDeepLink(arg);
    if (link) return link;
  }
  return undefined;
}

/** Whether two origins are the same server: a link names no scheme. */
export function isSameServer(one: string, other: string): boolean {
  return parse(one)?.host === parse(other)?.host;
}
