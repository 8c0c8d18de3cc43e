import { afterEach, describe, expect, it, vi } from 'vitest';
import { Failure, type FailureCode } from './failure';
import { joinPlace } from './join-place';
import { askForPlace, JoinPlaces } from './join-places';
import type { JoinPlaceReply } from './protocol';

vi.mock('./join-place', () => ({ joinPlace: vi.fn() }));

const ORIGIN = 'http://localhost';
const PLACE = { node: 'a', path: '/nodes/a/socket.io/', token: 'p1' } as JoinPlaceReply;

function refuses(code: FailureCode) {
  vi.mocked(joinPlace).mockRejectedValue(new Failure(code, ''));
}

/** A page tries to come back by a token, has no answer, and gives up. */
function givesUp(resumeToken: string) {
  new JoinPlaces(ORIGIN, 'daily', PLACE, resumeToken).failed(PLACE, new Failure('log_unavailable', '', true));
}

describe('where to join', () => {
  afterEach(() => void vi.resetAllMocks());

  it('is where one may have come in unheard, if that ended the token, and only once', async () => {
    givesUp('s1');
    refuses('session_expired');
    await expect(askForPlace(ORIGIN, 'daily', 's1')).resolves.toBe(PLACE);
    await expect(askForPlace(ORIGIN, 'daily', 's1')).rejects.toMatchObject({ code: 'session_expired' });
  });

  it('is as the server says for another token, for none, and where it does not answer', async () => {
    givesUp('s1');
    refuses('session_expired');
    await expect(askForPlace(ORIGIN, 'daily', 's2')).rejects.toMatchObject({ code: 'session_expired' });
    await expect(askForPlace(ORIGIN, 'daily', undefined)).rejects.toMatchObject({ code: 'session_expired' });
    refuses('unreachable');
    await expect(askForPlace(ORIGIN, 'daily', 's1')).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is as the server says once one is in', async () => {
    const places = new JoinPlaces(ORIGIN, 'daily', PLACE, 's1');
    places.failed(PLACE, new Failure('log_unavailable', '', true));
    places.entered();
    refuses('session_expired');
    await expect(askForPlace(ORIGIN, 'daily', 's1')).rejects.toMatchObject({ code: 'session_expired' });
  });
});
