import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from './failure';
import { RequestQueue, type Send } from './request-queue';

interface Sent {
  event: string;
  n: number;
  acknowledge: (answer: unknown) => void;
}

function wire() {
  const sent: Sent[] = [];
  const send: Send = (event, { n }, acknowledge) => sent.push({ event, n, acknowledge });
  return { sent, send };
}

const error = (code: string, retryable: boolean) => ({ ok: false, error: { code, message: code, retryable } });
const done = { ok: true, data: {} };

describe('RequestQueue', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('numbers requests from 1 and resolves with the data of the answer', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const first = queue.request('restartIce', { transportId: 't' });
    const second = queue.request('leave', {});
    expect(sent.map(({ n }) => n)).toEqual([1, 2]);
    sent[1]?.acknowledge(done);
    sent[0]?.acknowledge({ ok: true, data: { iceParameters: 'i' } });
    await expect(first).resolves.toEqual({ iceParameters: 'i' });
    await expect(second).resolves.toEqual({});
  });

  it('does not show later what was of a moment', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const signal = queue.request('signal', { kind: 'typing' });
    sent[0]?.acknowledge(error('rate_limited', true));
    await expect(signal).rejects.toMatchObject({ code: 'rate_limited' });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toHaveLength(1);
  });

  it('sends again, in order and with the same numbers, what had no answer when the socket broke', async () => {
    const queue = new RequestQueue();
    const before = wire();
    const after = wire();
    queue.open(before.send);
    const pause = queue.request('pauseProducer', { producerId: 'p' });
    const resume = queue.request('resumeProducer', { producerId: 'p' });
    queue.hold();
    const late = queue.request('leave', {});
    queue.open(after.send);
    expect(after.sent.map(({ event, n }) => [event, n])).toEqual([
      ['pauseProducer', 1],
      ['resumeProducer', 2],
      ['leave', 3],
    ]);
    for (const { acknowledge } of after.sent) acknowledge(done);
    await expect(Promise.all([pause, resume, late])).resolves.toHaveLength(3);
  });

  it('asks the next node again what the one before refused because the session is not there any more', async () => {
    const queue = new RequestQueue();
    const before = wire();
    const after = wire();
    queue.open(before.send);
    const request = queue.request('pauseProducer', { producerId: 'p' });
    queue.hold();
    before.sent[0]?.acknowledge(error('superseded', false));
    queue.open(after.send);
    expect(after.sent.map(({ event, n }) => [event, n])).toEqual([['pauseProducer', 1]]);
    after.sent[0]?.acknowledge(done);
    await expect(request).resolves.toEqual({});
  });

  it('repeats a request with the same number after a retryable error and gives up after the fifth time', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const request = queue.request('leave', {});
    const rejected = expect(request).rejects.toMatchObject({ code: 'log_unavailable' });
    for (let tries = 1; tries <= 6; tries += 1) {
      expect(sent).toHaveLength(tries);
      sent[tries - 1]?.acknowledge(error('log_unavailable', true));
      await vi.advanceTimersByTimeAsync(5_000);
    }
    await rejected;
    expect(new Set(sent.map(({ n }) => n))).toEqual(new Set([1]));
  });

  it('rejects at once what repeating does not help', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const request = queue.request('leave', {});
    sent[0]?.acknowledge(error('forbidden', false));
    await expect(request).rejects.toBeInstanceOf(Failure);
  });

  it('counts the timeout only while a socket is open', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const request = queue.request('leave', {});
    queue.hold();
    await vi.advanceTimersByTimeAsync(60_000);
    queue.open(send);
    const rejected = expect(request).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(10_000);
    await rejected;
    expect(sent).toHaveLength(2);
  });

  it('repeats for as long as it takes, with the same number, what is asked for patiently', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const request = queue.request('sendChatMessage', { text: 'hello' }, { patient: true });
    for (let tries = 1; tries <= 40; tries += 1) {
      expect(sent).toHaveLength(tries);
      if (tries % 8 !== 0) sent[tries - 1]?.acknowledge(error('log_unavailable', true));
      await vi.advanceTimersByTimeAsync(tries % 8 === 0 ? 10_000 : 2_000);
    }
    sent.at(-1)?.acknowledge(done);
    await expect(request).resolves.toEqual({});
    expect(new Set(sent.map(({ n }) => n))).toEqual(new Set([1]));
    const refused = queue.request('sendChatMessage', { text: '' }, { patient: true });
    sent.at(-1)?.acknowledge(error('bad_request', false));
    await expect(refused).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('does not go further from the oldest request than the server remembers, but for what it need not remember', () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    void queue.request('sendChatMessage', { text: 'hello' }, { patient: true });
    for (let i = 0; i < 70; i += 1) {
      void queue.request('closeConsumer', { consumerId: 'c' });
      sent.find(({ n }) => n === i + 2)?.acknowledge(done);
    }
    expect(sent.at(-1)?.n).toBe(56);
    for (const event of ['restartIce', 'leave'] as const) {
      void queue.request(event, { transportId: 't' });
      expect(sent.at(-1)?.event).toBe(event);
    }
    sent[0]?.acknowledge(done);
    expect(sent.at(-1)).toMatchObject({ event: 'closeConsumer', n: 71 });
  });

  it('asks no more for what gave way to something newer, sent or not', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    const [first, second] = [new AbortController(), new AbortController()];
    const mute = queue.request('pauseProducer', { producerId: 'p' }, { patient: true, signal: first.signal });
    const unmute = queue.request('resumeProducer', { producerId: 'p' }, { patient: true, signal: second.signal });
    const refused = [mute, unmute].map((request) => expect(request).rejects.toMatchObject({ code: 'superseded' }));
    second.abort();
    queue.open(send);
    sent[0]?.acknowledge(error('log_unavailable', true));
    first.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent.map(({ event }) => event)).toEqual(['pauseProducer']);
    await Promise.all(refused);
  });

  it('keeps at most 32 requests unanswered, fewer than the server remembers', () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    for (let i = 0; i < 40; i += 1) void queue.request('resumeConsumer', { consumerId: 'c' });
    expect(sent).toHaveLength(32);
    sent[0]?.acknowledge(done);
    expect(sent.at(-1)?.n).toBe(33);
  });

  it('rejects everything when the session is over and counts from 1 again', async () => {
    const queue = new RequestQueue();
    const { sent, send } = wire();
    queue.open(send);
    const request = queue.request('leave', {});
    queue.reset(new Failure('closed', 'over'));
    await expect(request).rejects.toMatchObject({ code: 'closed' });
    queue.open(send);
    void queue.request('leave', {});
    expect(sent.map(({ n }) => n)).toEqual([1, 1]);
  });
});
