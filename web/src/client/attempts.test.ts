import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Attempts, firstWelcome } from './attempts';
import { Failure, type FailureCode } from './failure';
import type { NodeId } from './protocol';
import type { OpenSocket } from './socket';

/** What a node does with an attempt, after so many ms. Nothing at all is what a frozen node does. */
type Answer = { after?: number; says: FailureCode | 'welcome'; deaf?: boolean };

const RETRYABLE: FailureCode[] = ['unreachable', 'draining'];
const failureOf = (code: FailureCode) => new Failure(code, '', RETRYABLE.includes(code));
const at = (node: NodeId) => ({ node, path: `/nodes/${node}/socket.io/`, iceServers: [] });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Nodes that answer like this; the first holds the session. Others are named in this order. */
function cluster(nodes: Record<NodeId, Answer>) {
  const started = Date.now();
  const opened: [NodeId, number][] = [];
  const givenUp: NodeId[] = [];
  const closed: NodeId[] = [];
  const asked: NodeId[][] = [];
  const names = Object.keys(nodes);
  const elsewhere = vi.fn<Attempts['elsewhere']>(async (avoid) => {
    asked.push(avoid);
    await wait(20);
    return at(names.find((node) => !avoid.includes(node)) ?? names[0] ?? '');
  });
  const open = async ({ node }: { node: NodeId }, signal: AbortSignal): Promise<OpenSocket> => {
    opened.push([node, Date.now() - started]);
    const { after = 6_000, says, deaf } = nodes[node] ?? { says: 'unreachable' };
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        givenUp.push(node);
        reject(failureOf('unreachable'));
      };
      if (!deaf) signal.addEventListener('abort', giveUp);
      setTimeout(() => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      }, after);
    });
    if (says !== 'welcome') throw failureOf(says);
    return { close: () => closed.push(node) } as unknown as OpenSocket;
  };
  const settled: { node?: NodeId; code?: FailureCode; retryable?: boolean; after: number }[] = [];
  firstWelcome({ first: at(names[0] ?? ''), open, elsewhere }).then(
    ({ place }) => settled.push({ node: place.node, after: Date.now() - started }),
    ({ code, retryable }: Failure) => settled.push({ code, retryable, after: Date.now() - started }),
  );
  return { opened, givenUp, closed, asked, elsewhere, settled };
}

const FROZEN: Answer = { says: 'unreachable' };

describe('firstWelcome', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('asks nobody else when the node is back in time', async () => {
    const { settled, asked } = cluster({ a: { after: 300, says: 'welcome' }, b: { after: 0, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'a', after: 300 }]);
    expect(asked).toEqual([]);
  });

  it('goes to another node at once when the connection is refused', async () => {
    const { settled, asked } = cluster({ a: { after: 20, says: 'unreachable' }, b: { after: 50, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'b', after: 90 }]);
    expect(asked).toEqual([['a']]);
  });

  it('goes to another node beside one that is frozen, which it gives up then', async () => {
    const { settled, opened, givenUp } = cluster({ a: FROZEN, b: { after: 50, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(opened).toEqual([
      ['a', 0],
      ['b', 420],
    ]);
    expect(settled).toEqual([{ node: 'b', after: 470 }]);
    expect(givenUp).toEqual(['a']);
  });

  it('takes the first welcome, also that of a slow node', async () => {
    const { settled, givenUp } = cluster({ a: { after: 500, says: 'welcome' }, b: { after: 200, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'a', after: 500 }]);
    expect(givenUp).toEqual(['b']);
  });

  it('closes a second welcome that was too late to be given up', async () => {
    const late: Answer = { after: 500, says: 'welcome', deaf: true };
    const { settled, closed } = cluster({ a: late, b: { after: 50, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'b', after: 470 }]);
    expect(closed).toEqual(['a']);
  });

  it('makes no second attempt where there is no other node', async () => {
    const { settled, opened, asked } = cluster({ a: { after: 2_000, says: 'welcome' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'a', after: 2_000 }]);
    expect(opened).toEqual([['a', 0]]);
    expect(asked).toEqual([['a']]);
  });

  it('asks again while nobody says where else to go', async () => {
    const { settled, elsewhere } = cluster({ a: FROZEN, b: { after: 50, says: 'welcome' } });
    elsewhere.mockImplementationOnce(() => wait(3_000).then(() => Promise.reject(failureOf('unreachable'))));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(elsewhere).toHaveBeenCalledTimes(2);
    expect(settled).toEqual([{ node: 'b', after: 400 + 3_000 + 250 + 20 + 50 }]);
  });

  it('is over with its attempts while nobody says where else to go', async () => {
    const { settled, elsewhere } = cluster({ a: FROZEN, b: { after: 50, says: 'welcome' } });
    elsewhere.mockRejectedValue(failureOf('unreachable'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ code: 'unreachable', retryable: true, after: 6_000 }]);
  });

  it('tries a third node when the second fails too, and no fourth', async () => {
    const { settled, opened } = cluster({ a: FROZEN, b: FROZEN, c: FROZEN, d: FROZEN });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(opened).toEqual([
      ['a', 0],
      ['b', 420],
      ['c', 1_940],
    ]);
    expect(settled).toEqual([{ code: 'unreachable', retryable: true, after: 7_940 }]);
  });

  it('believes the node that holds the session, and asks no other', async () => {
    for (const code of ['session_expired', 'superseded'] as const) {
      const { settled, asked } = cluster({ a: { after: 50, says: code }, b: { after: 50, says: 'welcome' } });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(settled).toEqual([{ code, retryable: false, after: 50 }]);
      expect(asked).toEqual([]);
    }
  });

  it('waits for the other attempt when one is refused', async () => {
    for (const code of ['session_expired', 'superseded'] as const) {
      const { settled } = cluster({ a: { after: 2_000, says: 'welcome' }, b: { after: 50, says: code } });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(settled).toEqual([{ node: 'a', after: 2_000 }]);
    }
  });

  it('doubts a refusal while another node has no answer', async () => {
    const { settled } = cluster({ a: FROZEN, b: { after: 50, says: 'superseded' } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ code: 'superseded', retryable: true, after: 6_000 }]);
  });

  it('waits for its attempt when the session is refused where to go is asked', async () => {
    const { settled, elsewhere } = cluster({ a: { after: 2_000, says: 'welcome' } });
    elsewhere.mockRejectedValue(failureOf('session_expired'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'a', after: 2_000 }]);
    expect(elsewhere).toHaveBeenCalledOnce();
  });

  it('says that the node goes down only where there is no other', async () => {
    const draining: Answer = { after: 50, says: 'draining' };
    const alone = cluster({ a: draining });
    const asking = cluster({ a: draining });
    asking.elsewhere.mockRejectedValue(failureOf('draining'));
    const unanswered = cluster({ a: draining });
    unanswered.elsewhere.mockRejectedValue(failureOf('unreachable'));
    const all = cluster({ a: draining, b: draining });
    const another = cluster({ a: draining, b: { after: 50, says: 'unreachable' } });
    await vi.advanceTimersByTimeAsync(10_000);
    const codes = [alone, asking, unanswered, all, another].map(({ settled }) => settled.map(({ code }) => code));
    expect(codes).toEqual([['draining'], ['draining'], ['draining'], ['draining'], ['unreachable']]);
  });

  it('goes to another node when its own goes down, also when that is not answered at once', async () => {
    const { settled, elsewhere } = cluster({ a: { after: 50, says: 'draining' }, b: { after: 50, says: 'welcome' } });
    for (let asked = 0; asked < 5; asked++) elsewhere.mockRejectedValueOnce(failureOf('unreachable'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settled).toEqual([{ node: 'b', after: 50 + 5 * 250 + 20 + 50 }]);
  });
});
