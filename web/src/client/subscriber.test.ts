import type { types } from 'mediasoup-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Requester } from './publisher';
import { Subscriber } from './subscriber';

function kindOf(producerId: string) {
  return producerId.endsWith('-camera') ? 'video' : 'audio';
}

function setUp(refuse: (producerId: string) => string | undefined = () => undefined) {
  const requests: [string, unknown][] = [];
  const tracks = new Map<string, unknown>();
  const unsupported = new Set<string>();
  const request = async (event: string, data: { producerIds?: string[] }) => {
    requests.push([event, data]);
    if (event !== 'consume') return {};
    return {
      consumers: (data.producerIds ?? []).map((producerId) => {
        const code = refuse(producerId);
        return code
          ? { producerId, error: { code, message: '', retryable: false } }
          : { id: `c-${producerId}`, producerId, kind: kindOf(producerId), rtpParameters: {}, streamId: 's' };
      }),
    };
  };
  const subscriber = new Subscriber(
    request as unknown as Requester,
    (producerId, track) => {
      if (track) tracks.set(producerId, track);
      else tracks.delete(producerId);
    },
    (producerId, is) => {
      if (is) unsupported.add(producerId);
      else unsupported.delete(producerId);
    },
  );
  return { requests, tracks, unsupported, subscriber };
}

class FakeConsumer {
  closed = false;
  /** What came by it. */
  packetsReceived = 1;
  readonly kind = 'audio';
  readonly id: string;
  readonly track: { of: string };
  readonly rtpParameters: { encodings: { ssrc: number }[] };
  constructor(id: string, ssrc: number) {
    this.id = id;
    this.track = { of: id };
    this.rtpParameters = { encodings: [{ ssrc }] };
  }
  close() {
    this.closed = true;
  }
}

class FakeTransport {
  closed = false;
  readonly consumers: FakeConsumer[] = [];
  readonly consume = vi.fn(async ({ id }: { id: string }) => {
    const consumer = new FakeConsumer(id, this.consumers.length);
    consumer.packetsReceived = this.connected ? 1 : 0;
    this.consumers.push(consumer);
    return consumer;
  });
  readonly id: string;
  connectionState = 'connected';
  /** Until it is, nothing comes by it. */
  connected = true;
  constructor(id: string) {
    this.id = id;
  }
  async getStats() {
    const reports = this.consumers.map(({ packetsReceived }, ssrc) => ({ type: 'inbound-rtp', ssrc, packetsReceived }));
    return new Map(reports.map((report) => [report.ssrc, report]));
  }
  connect() {
    for (const consumer of this.consumers) consumer.packetsReceived = 1;
  }
  close() {
    this.closed = true;
    for (const consumer of this.consumers) consumer.close();
  }
}

function transport(id = 't') {
  return new FakeTransport(id) as FakeTransport & types.Transport;
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('Subscriber', () => {
  it('asks once for all that is new in a tick and lets each flow', async () => {
    const { requests, tracks, subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a']));
    subscriber.want(new Set(['a', 'b']));
    await settled();
    expect(requests.map(([event]) => event)).toEqual(['consume', 'resumeConsumer', 'resumeConsumer']);
    expect(requests[0]?.[1]).toEqual({ transportId: 't', producerIds: ['a', 'b'] });
    expect([...tracks.keys()]).toEqual(['a', 'b']);
  });

  it('receives somebody with a picture first, then all others at once, the sound before the pictures', async () => {
    const { subscriber } = setUp();
    const receiving = transport();
    subscriber.attach(receiving);
    subscriber.prefer('b-camera');
    subscriber.want(new Set(['a-camera', 'a-mic', 'b-camera', 'b-mic', 'c-camera', 'c-mic']));
    let letFirstCome = () => {};
    const first = new Promise<void>((resolve) => {
      letFirstCome = resolve;
    });
    const { consume } = receiving;
    receiving.consume = vi.fn(async (options: { id: string }) => {
      if (receiving.consumers.length < 2) await first;
      return consume(options);
    }) as typeof receiving.consume;
    const asked = () => vi.mocked(receiving.consume).mock.calls.map(([{ id }]) => id);
    await settled();
    expect(asked()).toEqual(['c-b-mic', 'c-b-camera']);
    letFirstCome();
    await settled();
    expect(asked().slice(2)).toEqual(['c-a-mic', 'c-c-mic', 'c-a-camera', 'c-c-camera']);
  });

  it('drops what is gone and asks only for what is missing', async () => {
    const { requests, tracks, subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a', 'b']));
    await settled();
    subscriber.want(new Set(['b', 'c']));
    await settled();
    expect([...tracks.keys()]).toEqual(['b', 'c']);
    expect(requests.filter(([event]) => event === 'consume').at(-1)?.[1]).toMatchObject({ producerIds: ['c'] });
  });

  it('receives the others when one is refused, and does not ask again for what cannot be played', async () => {
    const { requests, tracks, subscriber } = setUp((id) => (id === 'a' ? 'unsupported_media' : undefined));
    subscriber.attach(transport());
    subscriber.want(new Set(['a', 'b']));
    await settled();
    subscriber.want(new Set(['a', 'b']));
    await settled();
    expect([...tracks.keys()]).toEqual(['b']);
    expect(requests.filter(([event]) => event === 'consume')).toHaveLength(1);
  });

  it('asks for everything again on a new transport', async () => {
    const { requests, tracks, subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a', 'b']));
    await settled();
    subscriber.attach(transport());
    await settled();
    expect(requests.filter(([event]) => event === 'consume')).toHaveLength(2);
    expect(tracks.size).toBe(2);
  });

  it('has the picture of who speaks become the best, and only theirs', async () => {
    const { requests, subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a-camera', 'b-camera']));
    await settled();
    subscriber.prefer('a-camera');
    await settled();
    subscriber.prefer('b-camera');
    await settled();
    const asked = requests.filter(([event]) => event === 'setPriority').map(([, data]) => data);
    expect(asked).toEqual([
      { consumerId: 'c-a-camera', priority: 3 },
      { consumerId: 'c-a-camera', priority: 1 },
      { consumerId: 'c-b-camera', priority: 3 },
    ]);
  });

  it('knows whose picture stands still, which their sound says nothing of', async () => {
    const { subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a-mic', 'b-camera']));
    await settled();
    subscriber.scored({ consumerId: 'c-a-mic', score: 10, producerScore: 0 });
    subscriber.scored({ consumerId: 'c-b-camera', score: 10, producerScore: 1 });
    expect(subscriber.stalledSenders).toEqual([]);
    subscriber.scored({ consumerId: 'c-b-camera', score: 10, producerScore: 0 });
    expect(subscriber.stalledSenders).toEqual(['b']);
    subscriber.view('b-camera', 'hidden');
    await settled();
    expect(subscriber.stalledSenders).toEqual([]);
  });

  it('knows whose network is weak', async () => {
    const { subscriber } = setUp();
    subscriber.attach(transport());
    subscriber.want(new Set(['a-camera', 'b-camera', 'b-mic']));
    await settled();
    expect([subscriber.weakSenders, subscriber.weak]).toEqual([[], false]);
    subscriber.scored({ consumerId: 'c-b-camera', score: 5, producerScore: 5 });
    expect([subscriber.weakSenders, subscriber.weak]).toEqual([['b'], false]);
    subscriber.scored({ consumerId: 'c-b-camera', score: 5, producerScore: 10 });
    subscriber.scored({ consumerId: 'c-a-camera', score: 4, producerScore: 10 });
    expect([subscriber.weakSenders, subscriber.weak]).toEqual([[], true]);
    subscriber.view('a-camera', 'hidden');
    await settled();
    expect(subscriber.weak).toBe(true);
    subscriber.view('b-camera', 'hidden');
    await settled();
    expect(subscriber.weak).toBe(false);
  });
});

describe('Subscriber, on another node', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Receives `a` and `b`, and then by a transport of another node, where those in `away` are not published yet. */
  async function moved(...away: string[]) {
    const missing = new Set<string>();
    const all = setUp((id) => (missing.has(id) ? 'not_found' : undefined));
    const [former, next] = [transport('former'), transport('next')];
    all.subscriber.attach(former);
    all.subscriber.want(new Set(['a', 'b']));
    await vi.advanceTimersByTimeAsync(0);
    const before = new Map(all.tracks);
    all.subscriber.view('a', 1);
    all.subscriber.prefer('a');
    await vi.advanceTimersByTimeAsync(0);
    all.requests.length = 0;
    for (const id of away) missing.add(id);
    all.subscriber.attach(next);
    return { ...all, former, next, before, missing };
  }

  it('keeps the last pictures until there are new ones, and then drops the transport that they came by', async () => {
    const { tracks, before, former, subscriber, missing } = await moved('a');
    expect(tracks).toEqual(before);
    await vi.advanceTimersByTimeAsync(0);
    expect(tracks.get('a')).toBe(before.get('a'));
    expect(tracks.get('b')).not.toBe(before.get('b'));
    expect(former.closed, 'the picture of the new one comes later than its track').toBe(false);
    missing.delete('a');
    subscriber.published('a');
    await vi.advanceTimersByTimeAsync(100);
    const now = new Map(tracks);
    expect(now.get('a')).not.toBe(before.get('a'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(former.closed).toBe(true);
    expect(tracks).toEqual(now);
  });

  it('shows no last picture of who is gone, or does not come back', async () => {
    const { tracks, former, subscriber } = await moved('a', 'b');
    await vi.advanceTimersByTimeAsync(0);
    subscriber.want(new Set(['b']));
    expect([...tracks.keys()]).toEqual(['b']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([...tracks.keys()]).toEqual([]);
    expect(former.closed).toBe(true);
  });

  it('asks again for what is not published again yet as soon as it is, and every second', async () => {
    const { requests, tracks, subscriber, missing } = await moved('a', 'b');
    await vi.advanceTimersByTimeAsync(300);
    const asked = () => requests.filter(([event]) => event === 'consume').map(([, data]) => data);
    expect(asked()).toEqual([{ transportId: 'next', producerIds: ['a', 'b'] }]);
    missing.delete('a');
    subscriber.published('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(asked()).toHaveLength(2);
    expect(tracks.get('a')).toEqual({ of: 'c-a' });
    missing.delete('b');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked()).toHaveLength(3);
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
  });

  it('tells again how pictures are seen', async () => {
    const { requests } = await moved();
    await vi.advanceTimersByTimeAsync(0);
    const told = requests.filter(([, data]) => (data as { consumerId?: string }).consumerId === 'c-a');
    expect(told).toEqual([
      ['setPreferredLayers', { consumerId: 'c-a', spatialLayer: 1 }],
      ['setPriority', { consumerId: 'c-a', priority: 3 }],
      ['resumeConsumer', { consumerId: 'c-a' }],
    ]);
  });

  it('goes over to another transport when something comes by it, and closes the one before as a whole then', async () => {
    const { subscriber, tracks } = setUp();
    const former = transport('former');
    subscriber.attach(former);
    subscriber.want(new Set(['a', 'b']));
    await vi.advanceTimersByTimeAsync(0);
    const seen = () => [...tracks.values()].map((track) => former.consumers.some((one) => one.track === track));
    const next = transport('next');
    next.connected = false;
    subscriber.attach(next);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(next.consumers).toHaveLength(2);
    expect(seen(), 'what still comes is seen').toEqual([true, true]);
    next.connect();
    await vi.advanceTimersByTimeAsync(100);
    expect(seen()).toEqual([false, false]);
    const closed = () => [...former.consumers, former, next].map((one) => one.closed);
    expect(
      closed(),
      'each alone would be a negotiation of all, and its picture black before the next is shown',
    ).toEqual([false, false, false, false]);
    await vi.advanceTimersByTimeAsync(500);
    expect(closed()).toEqual([true, true, true, false]);
  });

  it('goes over at once where nothing comes: who is muted, and whose picture nobody sees', async () => {
    const { subscriber, tracks } = setUp();
    const former = transport('former');
    subscriber.attach(former);
    subscriber.want(new Set(['a-mic', 'a-camera']), new Set(['a-mic']));
    subscriber.view('a-camera', 'hidden');
    await vi.advanceTimersByTimeAsync(0);
    const next = transport('next');
    next.connectionState = 'connecting';
    subscriber.attach(next);
    await vi.advanceTimersByTimeAsync(0);
    expect([...tracks.values()]).toEqual(next.consumers.map(({ track }) => track));
    await vi.advanceTimersByTimeAsync(500);
    expect(former.closed).toBe(true);
  });

  it('goes over to many a few at a time, sound first', async () => {
    const { subscriber, tracks } = setUp();
    const people = Array.from({ length: 10 }, (_, index) => `p${index}`);
    subscriber.attach(transport('former'));
    subscriber.want(new Set(people.flatMap((id) => [`${id}-camera`, `${id}-mic`])));
    await vi.advanceTimersByTimeAsync(0);
    const next = transport('next');
    next.connectionState = 'connecting';
    subscriber.attach(next);
    const over = () => people.flatMap((id) => [`${id}-mic`, `${id}-camera`]).filter((id) => isOver(tracks.get(id)));
    const isOver = (track: unknown) => next.consumers.some((one) => one.track === track);
    await vi.advanceTimersByTimeAsync(50);
    expect(over()).toEqual([]);
    next.connectionState = 'connected';
    await vi.advanceTimersByTimeAsync(100);
    expect(over()).toEqual(['p0-mic', 'p0-camera', 'p1-mic', 'p2-mic', 'p3-mic', 'p4-mic', 'p5-mic', 'p6-mic']);
    await vi.advanceTimersByTimeAsync(200);
    expect(over()).toHaveLength(20);
  });

  it('keeps the last picture of who changes to another codec meanwhile', async () => {
    const { tracks, before, subscriber, next } = await moved();
    next.connected = false;
    await vi.advanceTimersByTimeAsync(0);
    subscriber.published('a');
    subscriber.closed('c-a');
    expect(tracks.get('a')).toBe(before.get('a'));
    await vi.advanceTimersByTimeAsync(0);
    expect(next.consumers.map(({ id, closed }) => [id, closed])).toEqual([
      ['c-a', true],
      ['c-b', false],
      ['c-a', false],
    ]);
    next.connect();
    await vi.advanceTimersByTimeAsync(100);
    expect(tracks.get('a')).toBe(next.consumers[2]?.track);
  });

  it('shows what comes late by the next transport also when the one before ends meanwhile', async () => {
    let away = false;
    const { subscriber, tracks } = setUp(() => (away ? 'not_found' : undefined));
    const former = transport('former');
    subscriber.attach(former);
    subscriber.want(new Set(['a']));
    await vi.advanceTimersByTimeAsync(0);
    away = true;
    const next = transport('next');
    next.connected = false;
    subscriber.attach(next);
    await vi.advanceTimersByTimeAsync(6_500);
    away = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(former.closed).toBe(true);
    expect(tracks.get('a')).toBe(next.consumers[0]?.track);
  });

  it('does not wait for long for somebody who is silent', async () => {
    const { subscriber, tracks } = setUp();
    subscriber.attach(transport('former'));
    subscriber.want(new Set(['a']));
    await vi.advanceTimersByTimeAsync(0);
    const next = transport('next');
    next.connected = false;
    subscriber.attach(next);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(tracks.get('a')).toBe(next.consumers[0]?.track);
  });

  it('does not hold what the node before said of a source against the new one', async () => {
    let lacking = true;
    const { subscriber, tracks, unsupported } = setUp(() => (lacking ? 'unsupported_media' : undefined));
    subscriber.attach(transport('former'));
    subscriber.want(new Set(['a']));
    await Promise.resolve();
    lacking = false;
    subscriber.attach(transport('next'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect([...tracks.keys()]).toEqual(['a']);
    expect([...unsupported]).toEqual([]);
  });
});

describe('Subscriber, without the codec of what it wants', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A browser that lacks the codec of `a`, until the test says otherwise. */
  function lacking() {
    const lacks = { codec: true };
    const all = setUp((id) => (id === 'a' && lacks.codec ? 'unsupported_media' : undefined));
    const receiving = transport();
    all.subscriber.attach(receiving);
    all.subscriber.want(new Set(['a', 'b']));
    const consumed = () => all.requests.filter(([event]) => event === 'consume').length;
    return { ...all, lacks, consumed, receiving };
  }
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it('says so when it was not changed in time, until it is gone, and tries again when it comes back', async () => {
    const { lacks, tracks, unsupported, subscriber } = lacking();
    await vi.advanceTimersByTimeAsync(2_900);
    expect([...unsupported]).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect([...unsupported]).toEqual(['a']);
    subscriber.want(new Set(['b']));
    expect([...unsupported]).toEqual([]);
    lacks.codec = false;
    subscriber.want(new Set(['a', 'b']));
    await settle();
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
  });

  it('receives it as soon as it is published anew with another codec, and never says that it could not', async () => {
    const { lacks, tracks, unsupported, subscriber } = lacking();
    await settle();
    lacks.codec = false;
    subscriber.published('a');
    await settle();
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([...unsupported]).toEqual([]);
  });

  it('asks again when the answer may be about what was there before', async () => {
    const { lacks, tracks, subscriber, requests, consumed } = lacking();
    // The request is on its way, and will be refused.
    await Promise.resolve();
    expect(requests).toHaveLength(1);
    lacks.codec = false;
    subscriber.published('a');
    await settle();
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
    expect(consumed()).toBe(2);
  });

  it('does not wait with what was published anew before its consumer ended', async () => {
    const { tracks, subscriber, consumed, receiving } = lacking();
    await settle();
    subscriber.published('b');
    expect(consumed()).toBe(1);
    const [before] = receiving.consumers;
    receiving.connected = false;
    subscriber.closed('c-b');
    await settle();
    expect(consumed()).toBe(2);
    expect(tracks.get('b'), 'the last picture stays').toBe(before?.track);
    receiving.connect();
    await vi.advanceTimersByTimeAsync(100);
    expect(tracks.get('b')).toBe(receiving.consumers[1]?.track);
    expect(before?.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    expect(before?.closed).toBe(true);
  });

  it('shows no last picture of who changed to a codec that it lacks, or does not come again', async () => {
    const { tracks, unsupported, subscriber, lacks } = lacking();
    lacks.codec = false;
    subscriber.published('a');
    await settle();
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
    lacks.codec = true;
    subscriber.published('a');
    subscriber.closed('c-a');
    await vi.advanceTimersByTimeAsync(2_900);
    expect([...tracks.keys()].sort()).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(200);
    expect([...tracks.keys()]).toEqual(['b']);
    expect([...unsupported]).toEqual(['a']);
  });
});
