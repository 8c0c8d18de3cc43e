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

const SHORTCUTS: Record<string, 'mic' | 'camera' | 'chat'> = { d: 'mic', e: 'camera', k: 'chat' };

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey' | 'repeat'>;

/** What a key press turns on or off, or opens and closes. On a Mac, Ctrl with a letter moves the caret in a text. */
export function shortcut(pressed: Pressed, apple = isApple()): 'mic' | 'camera' | 'chat' | undefined {
  const { key, ctrlKey, metaKey, shiftKey, altKey, repeat } = pressed;
  const held = apple ? metaKey && !ctrlKey : ctrlKey && !metaKey;
  if (!held || shiftKey || altKey || repeat) return undefined;
  return SHORTCUTS[key.toLowerCase()];
}

/** Whether a key press asks for the list of shortcuts: not while somebody types. */
export function asksForHelp({ key, ctrlKey, metaKey, altKey, target }: KeyboardEvent): boolean {
  const types = target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;
  return key === '?' && !ctrlKey && !metaKey && !altKey && !types;
}

/** Whether an address is this computer's for whoever opens it. */
export function isLoopback(hostname: string = globalThis.location?.hostname ?? ''): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}
