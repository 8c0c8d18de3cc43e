import { type Network, through } from '../support/link.js';
import { ANNA, BEN, CARA, type Person } from '../support/person.js';
import { Forwarded, Reception } from '../support/reception.js';
import { riseOver, statsOf, streamOf } from '../support/stats.js';
import { expect, type Room, report, test } from '../support/test.js';

// What the paths of viewers do to what they get of one camera in three sizes, of up to 150, 500 and 1,200 kbit/s. The
// goals are those of real use; machines that are busy with other things are let off with less.

/** The least that Chromium sends in three sizes. */
const CAMERA = { width: 960, height: 540 };
/** A window in which a tile of three is worth the largest. */
const LARGE = { width: 1920, height: 1080 };
/** A round trip of 50 ms. */
const DELAY_MS = 25;
const WIDE = { bps: 2_000_000, queueMs: 200 };
const NARROW = { bps: 300_000, queueMs: 200 };

const FULL = process.env.HYPERION_FULL === '1';

test('a path that narrows and widens', async ({ room }) => {
  test.setTimeout(240_000);
  const anna = await publishes(room);
  const network: Network = { delayMs: DELAY_MS, down: WIDE };
  const { log, viewer: ben, reception } = await watches(room, BEN, network);
  const { viewer: cara, reception: good } = await watches(room, CARA);
  await widthIs(ben, CAMERA.width);
  await widthIs(cara, CAMERA.width);
  const wide = Date.now();
  await ben.page.waitForTimeout(5_000);

  const narrowed = Date.now();
  network.down = NARROW;
  await ben.page.waitForTimeout(15_000);
  const widened = Date.now();
  network.down = WIDE;
  await expect.poll(async () => (await reception.last()).width, { timeout: 40_000, intervals: [200] }).toBe(CAMERA.width).catch(async () => {
    const out = (await statsOf(anna.page, 'sendTransport')).filter((st) => st.type === 'outbound-rtp' && st.kind === 'video');
    report(`NOT BACK ${out.map((st) => `${st.rid} ${st.active} ${st.qualityLimitationReason} ${st.frameWidth} ${st.framesPerSecond} ${st.targetBitrate}`).join(', ')}`);
  });
  const back = Date.now();
  await ben.page.waitForTimeout(3_000);

  if (process.env.VB) for (const [slot, row] of Object.entries(log)) console.log(Number(slot) - narrowed, Object.entries(row).sort().map(([k, v]) => `${k}: ${Math.round((v * 8) / 250)}`).join('  '));
  const lower = (await reception.between(narrowed)).find(({ width }) => width < CAMERA.width);
  report(`lower after ${(lower?.at ?? NaN) - narrowed} ms, top again after ${back - widened} ms`);
  for (const [when, from, to] of [['wide', wide, narrowed], ['at drop', narrowed, narrowed + 2_000], ['narrow', narrowed + 2_000, widened], ['widened', widened, Date.now()]] as const) {
    report(`${when}: concealed ${await reception.concealed(from, to)}, widths ${await changes(reception, from, to)}, fps ${await fps(reception, from, to)}; good: ${await good.concealed(from, to)} ${await changes(good, from, to)} fps ${await fps(good, from, to)}`);
  }
});

test('loss', async ({ room }) => {
  test.setTimeout(240_000);
  const anna = await publishes(room);
  const network: Network = { delayMs: DELAY_MS };
  const { log, viewer: ben, reception, forwarded } = await watches(room, BEN, network);
  await widthIs(ben, CAMERA.width);
  for (const [loss, goal] of [[0.05, 0.95], [0.1, 0.9], [0.2, 0.75]] as const) {
    network.loss = loss;
    await ben.page.waitForTimeout(3_000);
    const from = Date.now();
    const rise = await riseOver(10, async () => ({
      ...(await streamOf(ben.page, 'inbound-rtp', 'video', 'framesDecoded', 'freezeCount', 'totalFreezesDuration', 'framesDropped', 'pliCount', 'nackCount')),
      sent: await forwarded.frames(ben.page),
    }));
    const inb = (await statsOf(ben.page, 'recvTransport')).filter((st) => st.type === 'inbound-rtp' && st.kind === 'video' && st.ssrc !== 1234);
    const out = (await statsOf(anna.page, 'sendTransport')).filter((st) => st.type === 'outbound-rtp' && st.kind === 'video');
    console.log(JSON.stringify(inb), out.map((st) => `${st.rid} ${st.scalabilityMode} ${st.encoderImplementation} ${st.frameWidth}`).join());
    if (process.env.VB) for (const [slot, row] of Object.entries(log).slice(-16)) console.log(Number(slot) - from, Object.entries(row).sort().map(([k, v]) => `${k}: ${Math.round((v * 8) / 250)}`).join('  '));
    report(`${loss}: ${rise.framesDecoded}/${rise.sent} = ${(rise.framesDecoded / rise.sent).toFixed(3)} (goal ${goal}), ${JSON.stringify(rise)}, concealed ${await reception.concealed(from)}, widths ${await changes(reception, from)}`);
  }
});

test('jitter', async ({ room }) => {
  const seconds = FULL ? 300 : 40;
  test.setTimeout(seconds * 1000 + 120_000);
  await publishes(room);
  const network: Network = { delayMs: 200, jitterMs: 50 };
  const { viewer: ben, reception } = await watches(room, BEN, network);
  await widthIs(ben, CAMERA.width);
  const from = Date.now();
  await ben.page.waitForTimeout(seconds * 1000);
  report(`downgrades ${await reception.downgrades(from)}; ${await changes(reception, from)}, concealed ${await reception.concealed(from)}, fps ${await fps(reception, from)}`);
});

async function changes(reception: Reception, from: number, to?: number): Promise<string> {
  const received = await reception.between(from, to);
  return received
    .filter(({ width }, index) => width !== received[index - 1]?.width)
    .map(({ at, width }) => `${width}@${at - from}`)
    .join(' ');
}

async function fps(reception: Reception, from: number, to?: number): Promise<number> {
  const received = await reception.between(from, to);
  const [first, last] = [received[0], received.at(-1)];
  if (!first || !last) return NaN;
  return Math.round(((last.framesDecoded - first.framesDecoded) * 10_000) / (last.at - first.at)) / 10;
}

async function publishes(room: Room): Promise<Person> {
  return room.join({ ...ANNA, tone: 200, speaking: true, busy: true }, { camera: CAMERA, ...(process.env.SM && { scalabilityMode: process.env.SM }) });
}

async function watches(room: Room, look: typeof BEN, network?: Network) {
  const link = network && (await room.link());
  const forwarded = new Forwarded();
  const log: Record<string, Record<string, number>> = {};
  if (link) {
    const inner = forwarded.before(through(network));
    link.shape = (d, dir) => {
      const fate = inner(d, dir);
      if (dir === 'down') {
        const rtp = (d[0] ?? 0) >> 6 === 2;
        const rtcp = rtp && (d[1] ?? 0) >= 192 && (d[1] ?? 0) <= 223;
        const ssrc = rtp && !rtcp ? `${(d[1] ?? 0) & 127}/${d.readUInt32BE(8)}` : 'other';
        const slot = String(Math.floor(Date.now() / 250) * 250);
        const row = (log[slot] ??= {});
        row[ssrc] = (row[ssrc] ?? 0) + d.length;
        if (fate === 'lost') row[`${ssrc} lost`] = (row[`${ssrc} lost`] ?? 0) + d.length;
      }
      return fate;
    };
    Object.assign(link, { log });
  }
  const viewer = await room.join({ ...look, refusal: 'NotFoundError' }, { viewport: LARGE, link });
  await expect.poll(() => viewer.frames(ANNA), { timeout: 30_000 }).toBeGreaterThan(0);
  return { log, viewer, forwarded, reception: await Reception.begin(viewer.page) };
}

async function widthIs(viewer: Person, width: number): Promise<void> {
  const start = Date.now();
  const received = async () => (await streamOf(viewer.page, 'inbound-rtp', 'video', 'frameWidth')).frameWidth;
  await expect.poll(received, { timeout: 60_000, intervals: [100] }).toBe(width);
  report(`${viewer.look.name}: ${width} after ${Date.now() - start}`);
}
