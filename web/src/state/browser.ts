/** Browsers differ in where a permission is given back. */
export type BrowserFamily = 'chromium' | 'firefox' | 'safari';

export function browserFamily(userAgent: string = globalThis.navigator?.userAgent ?? ''): BrowserFamily {
  if (userAgent.includes('Firefox/')) return 'firefox';
  return /Chrome|Chromium|Edg/.test(userAgent) ? 'chromium' : 'safari';
}

/** Whether shortcuts are shown with the command key. */
export function isApple(userAgent: string = globalThis.navigator?.userAgent ?? ''): boolean {
  return /Mac|iPhone|iPad/.test(userAgent);
}

/** Whether an address is this computer's for whoever opens it. */
export function isLoopback(hostname: string = globalThis.location?.hostname ?? ''): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}
