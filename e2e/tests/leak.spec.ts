import { readdirSync, readFileSync } from 'node:fs';
import { Client } from '../support/client.js';
import { Server } from '../support/server.js';
import { expect, report, test } from '../support/test.js';

const ROOMS = 100;
const AT_ONCE = 10;
const GROWTH_KIB_MAX = 2 * 1024;
/** Gauges that tell of the moment, and of nothing that is held. */
const MOMENTARY = /busy_permille|command_depth/;

test('100 rooms, opened and closed three times, leave nothing behind', async () => {
  test.setTimeout(120_000);
  const server = await Server.start('--limits-joins-per-second-per-address', '100000');
  try {
    await cycle(server);
    const first = await held(server);
    const memory = [residentKib(server)];
    for (let again = 2; again <= 3; again++) {
      await cycle(server);
      await expect.poll(() => held(server), { message: `after cycle ${again}`, timeout: 30_000 }).toEqual(first);
      memory.push(residentKib(server));
    }
    report(`resident after each cycle: ${memory.join(', ')} KiB; descriptors ${first.descriptors}, threads ${first.threads}`);
    for (const kib of memory.slice(1)) expect(kib - (memory[0] ?? 0)).toBeLessThan(GROWTH_KIB_MAX);
  } finally {
    await server.stop();
  }
});

/** Opens all rooms, each with one who publishes and one who consumes; then everybody leaves. */
async function cycle(server: Server): Promise<void> {
  const people: Client[] = [];
  const rooms = Array.from({ length: ROOMS }, (_, index) => `room-${index}`);
  for (let from = 0; from < ROOMS; from += AT_ONCE) {
    const opened = await Promise.all(rooms.slice(from, from + AT_ONCE).map((room) => meeting(server, room)));
    people.push(...opened.flat());
  }
  expect(await server.metric('hyperion_rooms')).toBe(ROOMS);
  expect(await server.metric('hyperion_worker_consumers')).toBe(ROOMS);
  for (let from = 0; from < people.length; from += AT_ONCE) {
    await Promise.all(people.slice(from, from + AT_ONCE).map((person) => person.leave()));
  }
  await expect.poll(() => server.metric('hyperion_rooms'), { timeout: 30_000 }).toBe(0);
  await expect.poll(() => server.metric('hyperion_signaling_sockets_open'), { timeout: 30_000 }).toBe(0);
}

async function meeting(server: Server, room: string): Promise<Client[]> {
  const anna = await Client.join(server.url, room, 'Anna');
  const ben = await Client.join(server.url, room, 'Ben');
  const rtpParameters = {
    mid: '0',
    codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2, parameters: {}, rtcpFeedback: [] }],
    headerExtensions: [],
    encodings: [{ ssrc: 1 }],
    rtcp: { cname: 'anna' },
  };
  const produced = await anna.request('produce', {
    transportId: anna.welcome.sendTransport.id,
    source: 'mic',
    kind: 'audio',
    rtpParameters,
  });
  expect(produced).toMatchObject({ ok: true });
  const consumed = await ben.request('consume', {
    transportId: ben.welcome.recvTransport.id,
    producerIds: [`${anna.welcome.participantId}-mic`],
  });
  expect(consumed).toMatchObject({ ok: true, data: { consumers: [{ kind: 'audio' }] } });
  return [anna, ben];
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

function residentKib(server: Server): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
