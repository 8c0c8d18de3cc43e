import { afterEach, describe, expect, it, vi } from 'vitest';
import { joinPlace, resumePlace } from './join-place';

const ORIGIN = 'http://localhost';

/** A server that answers everything like this. */
function server(status: number, body: string) {
  const fetch = vi.fn(async () => new Response(body, { status }));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

describe('joinPlace and resumePlace', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('ask for another place than those to avoid', async () => {
    const reply = { node: 'b', path: '/nodes/b/socket.io/', iceServers: [] };
    const fetch = server(200, JSON.stringify(reply));
    expect(await resumePlace(ORIGIN, 'daily', { token: 's1', avoid: ['a'] })).toEqual(reply);
    await joinPlace(ORIGIN, 'daily', { avoid: ['a'] });
    const asked = fetch.mock.calls.map((call) => call as unknown as [URL, RequestInit]);
    expect(asked.map(([url, { body }]) => [url.pathname, body])).toEqual([
      ['/api/v1/rooms/daily/resume', '{"token":"s1","avoid":["a"]}'],
      ['/api/v1/rooms/daily/join', '{"avoid":["a"]}'],
    ]);
  });

  it('reject with what the server says', async () => {
    server(401, JSON.stringify({ code: 'session_expired', message: '', retryable: false }));
    await expect(resumePlace(ORIGIN, 'daily', { token: 's1' })).rejects.toMatchObject({
      code: 'session_expired',
      retryable: false,
    });
  });

  it('take what a proxy says in place of the server for no answer', async () => {
    for (const [status, body] of [
      [502, '<html>Bad Gateway</html>'],
      [200, '<html>Welcome</html>'],
    ] as const) {
      server(status, body);
      await expect(resumePlace(ORIGIN, 'daily', { token: 's1' })).rejects.toMatchObject({
        code: 'unreachable',
        retryable: true,
      });
    }
  });
});
