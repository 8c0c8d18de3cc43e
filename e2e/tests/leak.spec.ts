import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Server } from '../support/server.js';
import { microphone, SignalingClient } from '../support/signaling.js';
import { expect, report, test } from '../support/test.js';

const ROOMS = 100;
const AT_ONCE = 10;
const CYCLES = 3;
const GROWTH_KIB_MAX = 2 * 1024;
/** Gauges that tell of the moment, and of nothing that is held. */
const MOMENTARY = /busy_permille|command_depth/;

test('100 rooms, opened and closed again and again, leave nothing behind', async () => {
  test.setTimeout(120_000);
  const server = await Server.start();
  try {
    await cycle(server);
    const first = await held(server);
    const memory = [await settledKib(server)];
    while (memory.length < CYCLES) {
      await cycle(server);
      const message = `after cycle ${memory.length + 1}`;
      await expect.poll(() => held(server), { message, timeout: 30_000 }).toEqual(first);
      memory.push(await settledKib(server));
    }
    report(`resident after each cycle: ${memory.join(', ')} KiB`);
    const [before = 0, ...after] = memory;
    for (const kib of after) expect(kib - before).toBeLessThan(GROWTH_KIB_MAX);
  } finally {
    await server.stop();
  }
});

/** Opens all rooms, each with one who publishes and one who consumes; then everybody leaves. */
async function cycle(server: Server): Promise<void> {
  const people: SignalingClient[] = [];
  const rooms = Array.from({ length: ROOMS }, (_, index) => `room-${index}`);
  for (let from = 0; from < ROOMS; from += AT_ONCE) {
    const opened = await Promise.all(rooms.slice(from, from + AT_ONCE).map((room) => meeting(server, room)));
    people.push(...opened.flat());
  }
  expect(await server.metric('hyperion_rooms')).toBe(ROOMS);
  expect(await server.metric('hyperion_worker_consumers')).toBe(ROOMS);
  for (let from = 0; from < people.length; from += AT_ONCE) {
    await Promise.all(people.slice(from, from + AT_ONCE).map(leave));
  }
  await expect.poll(() => server.metric('hyperion_rooms'), { timeout: 30_000 }).toBe(0);
  await expect.poll(() => server.metric('hyperion_signaling_sockets_open'), { timeout: 30_000 }).toBe(0);
}

async function meeting({ url }: Server, room: string): Promise<SignalingClient[]> {
  const anna = await SignalingClient.join(url, room, 'Anna');
  const ben = await SignalingClient.join(url, room, 'Ben');
  const { id } = await anna.request<{ id: string }>('produce', {
    transportId: anna.welcome.sendTransport?.id,
    source: 'mic',
    kind: 'audio',
    rtpParameters: microphone(1),
  });
  await ben.request('consume', { transportId: ben.welcome.recvTransport?.id, producerIds: [id] });
  return [anna, ben];
}

async function leave(person: SignalingClient): Promise<void> {
  await person.request('leave', {});
  await person.isClosed();
}

/** What the server holds: descriptors, threads and every gauge. */
async function held(server: Server): Promise<Record<string, number>> {
  const text = await server.metrics();
  const gauges = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name = '']) => name);
  const lines = text.split('\n').filter((line) => gauges.includes(/^[^{ ]+/.exec(line)?.[0] ?? ''));
  const samples = lines.filter((line) => !MOMENTARY.test(line)).map((line) => line.split(/ (?=\S+$)/));
  expect(samples.length).toBeGreaterThan(10);
  return {
    ...Object.fromEntries(samples.map(([name = '', value]) => [name, Number(value)])),
    descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
    threads: readdirSync(`/proc/${server.pid}/task`).length,
  };
}

/** The memory that is left when two readings in a row are the same: the allocator gives back what was unused for a
 *  second (docs/decisions/0003-allocator.md), so the first reading after a cycle says little. */
async function settledKib(server: Server): Promise<number> {
  let kib = Number.NaN;
  const isSettled = async () => {
    await setTimeout(1_500);
    const earlier = kib;
    kib = residentKib(server);
    return kib === earlier;
  };
  await expect.poll(isSettled, { timeout: 30_000 }).toBe(true);
  return kib;
}

function residentKib(server: Server): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
