import { expect, it } from 'vitest';
import { isLoopback } from './browser';

it('knows the addresses that others cannot open', () => {
  for (const here of ['localhost', 'x.localhost', '127.0.0.1', '127.0.1.1', '[::1]']) {
    expect(isLoopback(here), here).toBe(true);
  }
  for (const there of ['192.0.2.1', 'localhost.example', '127.example', '[2001:db8::1]', '']) {
    expect(isLoopback(there), there).toBe(false);
  }
});
