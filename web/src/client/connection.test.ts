import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from './connection';
import { Failure, type FailureCode } from './failure';
import { joinPlace, resumePlace } from './join-place';
import type { JoinPlaceReply, NotificationMap, Welcome } from './protocol';
import { openSocket, type SocketListener, type SocketOptions } from './socket';

vi.mock('./socket', () => ({ openSocket: vi.fn() }));
vi.mock('./join-place', () => ({ joinPlace: vi.fn(), resumePlace: vi.fn() }));

const place = (token: string, node = 'a'): JoinPlaceReply => ({
  node,
  path: `/nodes/${node}/socket.io/`,
  token,
  routerRtpCapabilities: {},
  iceServers: [],
});

function welcome(sessionToken: string, seq: number): Welcome {
  const settings = { locked: false, mic: true, camera: true, screen: true, chat: true };
  const room = { roomId: 'r', seq, participants: [], videoCodecs: [], chat: [], settings };
  return { participantId: 'me', sessionToken, room };
}

/** A server of which each test says how it answers the next attempts; a node of it says only what it is told to. */
class FakeServer {
  readonly attempts: SocketOptions['auth'][] = [];
  readonly nodes: string[] = [];
  readonly answers: (Welcome | FailureCode)[] = [];
  readonly answersOf = new Map<string, Promise<Welcome | FailureCode>>();
  listener: SocketListener | undefined;
  #send = vi.fn();
  readonly closing = vi.fn();

  constructor() {
    vi.mocked(openSocket).mockImplementation(async ({ auth, path, signal }) => {
      const node = path.split('/')[2] ?? '';
      this.attempts.push(auth);
      this.nodes.push(node);
      const givenUp = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new Failure('unreachable', '', true)));
      });
      const answer = (await Promise.race([this.answersOf.get(node), givenUp])) ?? this.answers.shift();
      if (answer === undefined) throw new Failure('unreachable', '', true);
      if (typeof answer === 'string') throw new Failure(answer, '', answer === 'unreachable' || answer === 'draining');
      const listen = (listener: SocketListener) => {
        this.listener = listener;
      };
      return { welcome: answer, send: this.#send, listen, closing: this.closing, close: () => {} };
    });
    vi.mocked(joinPlace)
      .mockReset()
      .mockImplementation(async () => place('fresh'));
    // There is one node only, until a test says otherwise.
    vi.mocked(resumePlace)
      .mockReset()
      .mockImplementation(async () => place('unused'));
  }

  /** A node of another name, which is named to whoever avoids the first. */
  hasAnother(answer: Welcome | FailureCode): void {
    this.answersOf.set('b', Promise.resolve(answer));
    vi.mocked(joinPlace).mockImplementation(async (_origin, _room, { avoid }) => place('fresh', avoid ? 'b' : 'a'));
    vi.mocked(resumePlace).mockImplementation(async (_origin, _room, { avoid }) => place('', avoid ? 'b' : 'a'));
  }
}

function connect({ resumeToken }: { resumeToken?: string } = {}) {
  const server = new FakeServer();
  const connection = new Connection({
    origin: 'http://localhost',
    room: 'r',
    join: { name: 'Anna', rtpCapabilities: {} },
    place: place('first'),
    resumeToken,
  });
  const ended: FailureCode[] = [];
  const welcomes: boolean[] = [];
  connection.on('ended', ({ code }) => ended.push(code));
  connection.on('welcome', ({ resumed }) => welcomes.push(resumed));
  return { server, connection, ended, welcomes };
}

describe('Connection', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('joins with the token of the place', async () => {
    const { server, connection } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    expect(server.attempts[0]).toMatchObject({ token: 'first', join: { name: 'Anna' } });
    expect(connection.state).toBe('connected');
    expect(connection.sessionToken).toBe('s1');
  });

  it('says that the page closes, unless the browser keeps the page', async () => {
    const page = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    const hide = (persisted: boolean) => page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }));
    const { server, connection } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    hide(true);
    expect(server.closing).not.toHaveBeenCalled();
    hide(false);
    expect(server.closing).toHaveBeenCalledOnce();
    connection.close();
    hide(false);
    expect(server.closing).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
  });

  it('rejects with the reason of a refusal', async () => {
    const { server, connection } = connect();
    server.answers.push('room_full');
    await expect(connection.start()).rejects.toMatchObject({ code: 'room_full' });
  });

  it('resumes at once, with the newest token and the highest number it saw', async () => {
    const { server, connection, welcomes } = connect();
    server.answers.push(welcome('s1', 5), 'unreachable', welcome('s2', 9));
    await connection.start();
    server.listener?.notified('participantLeft', { seq: 8, participantId: 'x' });
    server.listener?.lost();
    expect(connection.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.attempts[1]).toEqual({ token: 's1', resume: { seq: 8, rtpCapabilities: {} } });
    expect(connection.state).toBe('connected');
    expect(connection.sessionToken).toBe('s2');
    expect(welcomes).toEqual([false, true]);
  });

  it('joins anew when the session expired, and tells waiting requests', async () => {
    const { server, connection, welcomes } = connect();
    server.answers.push(welcome('s1', 5), 'session_expired', welcome('s2', 1));
    await connection.start();
    const request = connection.request('leave', {});
    const rejected = expect(request).rejects.toMatchObject({ code: 'closed' });
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(2_000);
    await rejected;
    expect(server.attempts[2]).toMatchObject({ token: 'fresh', join: { name: 'Anna' } });
    expect(welcomes).toEqual([false, false]);
  });

  it('goes on joining anew when tokens are refused and the server goes away in between', async () => {
    const { server, connection, ended } = connect();
    server.answers.push(welcome('s1', 5), 'session_expired', 'unauthorized', 'unauthorized', 'unreachable');
    server.answers.push(welcome('s2', 1));
    await connection.start();
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended).toEqual([]);
    expect(connection.sessionToken).toBe('s2');
  });

  it.each(['superseded', 'removed', 'meeting_ended'] as const)(
    'ends when it is %s, on the open socket as on resume',
    async (reason) => {
      for (const onResume of [false, true]) {
        const { server, connection, ended } = connect();
        server.answers.push(welcome('s1', 5), reason);
        await connection.start();
        if (!onResume) server.listener?.notified('sessionEnded', { reason });
        server.listener?.lost();
        await vi.advanceTimersByTimeAsync(2_000);
        expect(ended).toEqual([reason]);
        expect(server.attempts).toHaveLength(onResume ? 2 : 1);
      }
    },
  );

  it('resumes after a fault of the server, and joins anew when the server says that the session expired', async () => {
    for (const [reason, next] of [
      ['internal', { token: 's1', resume: { seq: 5 } }],
      ['session_expired', { token: 'fresh', join: { name: 'Anna' } }],
    ] as const) {
      const { server, connection, ended } = connect();
      server.answers.push(welcome('s1', 5), welcome('s2', 6));
      await connection.start();
      server.listener?.notified('sessionEnded', { reason });
      server.listener?.lost();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(server.attempts[1]).toMatchObject(next);
      expect(connection.state).toBe('connected');
      expect(ended).toEqual([]);
    }
  });

  it('ends when the only server goes down, with a token for the join call', async () => {
    for (const onResume of [false, true]) {
      const { server, connection, ended } = connect();
      server.answers.push(welcome('s1', 5), 'draining');
      await connection.start();
      if (!onResume) server.listener?.notified('sessionEnded', { reason: 'draining' });
      server.listener?.lost();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(ended).toEqual(['draining']);
      expect(server.attempts).toHaveLength(onResume ? 2 : 1);
      expect(connection.sessionToken).toBe('s1');
    }
  });

  it('goes to another node when its own goes down, without joining anew', async () => {
    for (const onResume of [false, true]) {
      const { server, connection, ended, welcomes } = connect();
      server.answers.push(welcome('s1', 5), 'draining');
      server.hasAnother(welcome('s2', 6));
      await connection.start();
      if (!onResume) server.listener?.notified('sessionEnded', { reason: 'draining' });
      server.listener?.lost();
      await vi.advanceTimersByTimeAsync(0);
      expect(server.nodes).toEqual(onResume ? ['a', 'a', 'b'] : ['a', 'b']);
      expect(connection.state).toBe('connected');
      expect([welcomes, ended]).toEqual([[false, true], []]);
    }
  });

  it('goes to another node by long-polling: a browser opens no WebSocket beside one that hangs', async () => {
    const { server, connection } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    server.answersOf.set('a', new Promise(() => {}));
    server.hasAnother(welcome('s2', 6));
    vi.mocked(openSocket).mockClear();
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(399);
    expect(connection.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1);
    expect(connection.state).toBe('connected');
    const opened = vi.mocked(openSocket).mock.calls.map(([{ path, pollingFirst }]) => [path, pollingFirst]);
    expect(opened).toEqual([
      ['/nodes/a/socket.io/', false],
      ['/nodes/b/socket.io/', true],
    ]);
  });

  it('stays at the other node from then on', async () => {
    const { server, connection } = connect();
    server.answers.push(welcome('s1', 5), 'unreachable');
    server.hasAnother(welcome('s2', 6));
    await connection.start();
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(0);
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.nodes).toEqual(['a', 'a', 'b', 'b']);
    expect(server.attempts[2]).toMatchObject({ token: 's1', resume: { seq: 5 } });
    expect(server.attempts[3]).toMatchObject({ token: 's2', resume: { seq: 6 } });
  });

  it('believes that it was taken over only after the others must know that the silent node is lost', async () => {
    for (const code of ['superseded', 'session_expired'] as const) {
      const { server, connection, ended } = connect();
      server.answers.push(welcome('s1', 5));
      server.hasAnother(code);
      await connection.start();
      server.listener?.lost();
      await vi.advanceTimersByTimeAsync(0);
      expect(server.nodes).toEqual(['a', 'a', 'b']);
      expect(connection.state).toBe('reconnecting');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(connection.state).toBe('reconnecting');
      await vi.advanceTimersByTimeAsync(8_000);
      if (code === 'superseded') expect(ended).toEqual([code]);
      // As somebody new.
      else expect(server.attempts.slice(1).some(({ join }) => join?.name === 'Anna')).toBe(true);
    }
  });

  it('comes back to its own node when that did take it back, unheard', async () => {
    const { server, connection, welcomes } = connect();
    server.answers.push(welcome('s1', 5), 'unreachable', welcome('s3', 7));
    server.hasAnother('superseded');
    await connection.start();
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.nodes).toEqual(['a', 'a', 'b', 'a']);
    expect([connection.state, connection.sessionToken]).toEqual(['connected', 's3']);
    expect(welcomes).toEqual([false, true]);
  });

  it('joins at another node when the first cannot be reached or goes down', async () => {
    for (const code of ['unreachable', 'draining'] as const) {
      const { server, connection } = connect({ resumeToken: 'r1' });
      server.answers.push(code);
      server.hasAnother(welcome('s1', 5));
      await connection.start();
      expect(vi.mocked(joinPlace).mock.calls).toEqual([['http://localhost', 'r', { resumeToken: 'r1', avoid: ['a'] }]]);
      expect(server.nodes).toEqual(['a', 'b']);
      expect(server.attempts[1]).toMatchObject({ token: 'fresh', join: { name: 'Anna' } });
    }
  });

  it('joins as the same participant when there is no other node, by the way that was not tried', async () => {
    const { server, connection } = connect();
    server.answers.push('unreachable', welcome('s1', 5));
    await connection.start();
    expect(server.attempts.map(({ token }) => token)).toEqual(['first', 'first']);
    expect(
      vi
        .mocked(openSocket)
        .mock.calls.slice(-2)
        .map(([{ pollingFirst }]) => pollingFirst),
    ).toEqual([false, true]);
  });

  it('joins at the place that it has when an attempt before ended the token unheard', async () => {
    const { server, connection } = connect({ resumeToken: 'r1' });
    server.answers.push('unreachable', welcome('s1', 5));
    vi.mocked(joinPlace).mockRejectedValue(new Failure('session_expired', ''));
    await connection.start();
    expect(server.attempts.map(({ token }) => token)).toEqual(['first', 'first']);
  });

  it('says that the only server goes down when it does so between the two calls of a join', async () => {
    const { server, connection } = connect();
    server.answers.push('draining');
    vi.mocked(joinPlace).mockRejectedValue(new Failure('draining', '', true));
    await expect(connection.start()).rejects.toMatchObject({ code: 'draining' });
  });

  it('keeps trying while the server is away', async () => {
    const { server, connection, ended } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    server.listener?.lost();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(server.attempts.length).toBeGreaterThan(10);
    expect(ended).toEqual([]);
    server.answers.push(welcome('s2', 6));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(connection.state).toBe('connected');
  });

  it('passes on what is newer than the snapshot, several changes of one event too', async () => {
    const { server, connection } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    const heard: string[] = [];
    connection.on('notification', ({ data }) => {
      heard.push((data as NotificationMap['participantLeft']).participantId);
    });
    server.listener?.notified('participantLeft', { seq: 5, participantId: 'old' });
    server.listener?.notified('participantLeft', { seq: 7, participantId: 'a' });
    server.listener?.notified('participantLeft', { seq: 7, participantId: 'b' });
    expect(heard).toEqual(['a', 'b']);
  });

  async function askedToMove(answer: Welcome | FailureCode) {
    const all = connect();
    all.server.answers.push(welcome('s1', 5));
    await all.connection.start();
    all.server.hasAnother(answer);
    const states: string[] = [];
    all.connection.on('state', (state) => states.push(state));
    const before = all.server.listener;
    before?.notified('moveRequested', {});
    return { ...all, before, states };
  }

  it('goes on at another node when it is asked to, without being gone in between', async () => {
    const { server, connection, welcomes, ended, before, states } = await askedToMove(welcome('s2', 9));
    // The node of before reads that the session is elsewhere first.
    before?.notified('sessionEnded', { reason: 'superseded' });
    before?.lost();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.nodes).toEqual(['a', 'b']);
    expect(welcomes).toEqual([false, true]);
    expect([states, ended, connection.sessionToken]).toEqual([[], [], 's2']);
  });

  it('stays where it is when the other node does not take it', async () => {
    const { server, connection, states } = await askedToMove('unreachable');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.nodes).toEqual(['a', 'b']);
    expect([states, connection.state, connection.sessionToken]).toEqual([[], 'connected', 's1']);
  });

  it('comes back elsewhere when the other node took it and was not heard', async () => {
    const { server, connection, before, ended, states } = await askedToMove('unreachable');
    before?.notified('sessionEnded', { reason: 'superseded' });
    before?.lost();
    server.hasAnother(welcome('s2', 9));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states).toEqual(['reconnecting', 'connected']);
    expect(
      server.nodes.filter((node) => node === 'a'),
      'not where it goes down',
    ).toHaveLength(1);
    expect([ended, connection.sessionToken]).toEqual([[], 's2']);
  });

  it('comes back elsewhere when it hears later that the other node took it', async () => {
    const { server, before, ended, connection } = await askedToMove('unreachable');
    await vi.advanceTimersByTimeAsync(5_000);
    server.hasAnother(welcome('s2', 9));
    before?.notified('sessionEnded', { reason: 'superseded' });
    before?.lost();
    await vi.advanceTimersByTimeAsync(5_000);
    expect([ended, connection.state, connection.sessionToken]).toEqual([[], 'connected', 's2']);
  });

  it('does not wait for the other node when the one before is gone and that one does not answer', async () => {
    const { server, connection, ended } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    server.hasAnother('unreachable');
    server.answersOf.set('b', new Promise(() => {}));
    const before = server.listener;
    before?.notified('moveRequested', {});
    await vi.advanceTimersByTimeAsync(10);
    before?.lost();
    // It is back at once, as after a crash.
    server.answers.push(welcome('s2', 9));
    await vi.advanceTimersByTimeAsync(2_000);
    expect([connection.sessionToken, connection.state, ended]).toEqual(['s2', 'connected', []]);
  });

  it('stays where it is while there is no other node', async () => {
    const { server, connection, ended } = connect();
    server.answers.push(welcome('s1', 5));
    await connection.start();
    vi.mocked(resumePlace).mockImplementation(async () => place('', 'a'));
    server.listener?.notified('moveRequested', {});
    await vi.advanceTimersByTimeAsync(10_000);
    expect([server.nodes, ended, connection.state]).toEqual([['a'], [], 'connected']);
  });
});
