import { parse } from '../shared/server-address';

/** Whether an address is a page of the server. */
export function isOfServer(address: string, server: string): boolean {
  const url = parse(address);
  return (url?.protocol === 'https:' || url?.protocol === 'http:') && url.origin === server;
}

/** Whether an address may be given to the system's browser: whatever else `openExternal` takes starts programs. */
export function mayOpenOutside(address: string): boolean {
  const url = parse(address);
  return url?.protocol === 'https:' && url.username === '' && url.password === '';
}
