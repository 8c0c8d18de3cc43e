import { type Link, type Network, through } from '../support/link.js';
import { ANNA, BEN, CARA, type Look, type Person } from '../support/person.js';
import { Forwarded, Reception } from '../support/reception.js';
import { riseOver, streamOf } from '../support/stats.js';
import { expect, type Room, report, test } from '../support/test.js';

// What bad ways to one viewer do to what comes of a camera in three sizes, of up to 150, 500 and 1,200 kbit/s.
// A test writes down what it measured and fails far from the goal only: the machine is busy with the browsers themselves.

/** The least that Chromium sends in three sizes. */
const CAMERA = { width: 960, height: 540 };
/** A window in which a tile is worth the largest. */
const LARGE = { width: 1920, height: 1080 };
/** A round trip of 50 ms. */
const DELAY_MS = 25;
const WIDE = { bps: 2_000_000, queueMs: 200 };
const NARROW = { bps: 300_000, queueMs: 200 };
/** Less than sound takes. */
const TOO_NARROW = { bps: 60_000, queueMs: 1_000 };

const TOP_AGAIN_MS_GOAL = 15_000;
/** What is made up of the sound is counted beside what a viewer with a good path has of the same sound, as that is the
 *  machine's doing; and by so much two viewers differ on a machine without cores to spare. */
const CONCEALED_TOLERANCE = 0.02;
/** A phase fails where this many times its goal was concealed. */
const CONCEALED_TIMES = 3;
/** With loss, frames that may lack beside those that the goal allows. */
const FRAMES_TOLERANCE = 0.05;
const JITTER_SECONDS = Number(process.env.HYPERION_JITTER_SECONDS ?? 40);

test('a path that narrows and widens: a smaller picture and whole sound, and nobody else is touched', async ({
  room,
}) => {
  test.setTimeout(5 * TOP_AGAIN_MS_GOAL + 90_000);
  await publishes(room);
  const network: Network = { delayMs: DELAY_MS, down: WIDE };
  const ben = await watches(room, BEN, network);
  const cara = await watches(room, CARA);
  await ben.becomes(CAMERA.width);
  await cara.becomes(CAMERA.width);
  const wide = Date.now();
  await ben.page.waitForTimeout(4_000);

  const narrowed = Date.now();
  network.down = NARROW;
  await ben.page.waitForTimeout(12_000);
  const small = await ben.reception.last();
  const widened = Date.now();
  network.down = WIDE;
  await ben.becomes(CAMERA.width, 5 * TOP_AGAIN_MS_GOAL);
  const back = Date.now();
  await ben.page.waitForTimeout(2_000);
  const end = Date.now();

  const lower = (await ben.reception.between(narrowed)).find(({ width }) => width < CAMERA.width);
  report(`smaller ${(lower?.at ?? NaN) - narrowed} ms after it narrowed, full ${back - widened} ms after it widened`);
  expect(small.width).toBeLessThan(CAMERA.width);
  const phases = [
    { name: 'before', from: wide, to: narrowed, goal: 0.01 },
    { name: 'in the 2 s after it narrowed', from: narrowed, to: narrowed + 2_000, goal: 0.15 },
    { name: 'then', from: narrowed + 2_000, to: widened, goal: 0.01 },
    { name: 'wide again', from: widened, to: end, goal: 0.01 },
  ];
  for (const { name, from, to, goal } of phases) {
    const [bad, good] = await Promise.all([ben, cara].map(({ reception }) => reception.concealed(from, to)));
    report(
      `${name}: ${percent(bad)} of the sound was concealed (goal ${percent(goal)}), ${percent(good)} at the good viewer's`,
    );
    expect(bad, name).toBeLessThan(CONCEALED_TIMES * goal + (good ?? 0) + CONCEALED_TOLERANCE);
  }
  expect(await cara.reception.downgrades(wide, end), 'the good viewer keeps the size').toBe(0);
  const fps = await cara.reception.framesPerSecond(wide, end);
  report(`the good viewer decoded ${fps.toFixed(1)} frames/s`);
  expect(fps).toBeGreaterThan(12);
});

test('a path that was too narrow even for sound has a picture again once it is wide', async ({ room }) => {
  await publishes(room);
  const network: Network = { delayMs: DELAY_MS, down: WIDE };
  const ben = await watches(room, BEN, network);
  network.down = TOO_NARROW;
  await ben.page.waitForTimeout(8_000);
  network.down = WIDE;
  const widened = Date.now();
  const moves = () => ben.reception.framesPerSecond(Date.now() - 2_000);
  await expect.poll(moves, { timeout: 40_000 }).toBeGreaterThan(12);
  report(`the picture moved again after ${Date.now() - widened} ms`);
});

test('of the frames that are sent to a viewer with 5, 10 and 20 % loss, 95, 90 and 75 % are decoded', async ({
  room,
}) => {
  await publishes(room);
  const network: Network = { delayMs: DELAY_MS };
  const ben = await watches(room, BEN, network);
  await ben.becomes(CAMERA.width);
  for (const [loss, goal] of [
    [0.05, 0.95],
    [0.1, 0.9],
    [0.2, 0.75],
  ] as const) {
    network.loss = loss;
    await ben.page.waitForTimeout(2_000);
    const { framesDecoded, sent, timestamp } = await riseOver(8, async () => ({
      ...(await streamOf(ben.page, 'inbound-rtp', 'video', 'framesDecoded')),
      sent: await ben.forwarded.frames(ben.page),
    }));
    const decoded = framesDecoded / sent;
    report(
      `${percent(loss)} loss: ${percent(decoded)} of ${sent} frames in ${Math.round(timestamp)} ms (goal ${percent(goal)})`,
    );
    expect(sent).toBeGreaterThan(60);
    expect(decoded).toBeGreaterThanOrEqual(goal - FRAMES_TOLERANCE);
  }
});

test(`200 ± 50 ms hardly ever make the picture smaller, ${JITTER_SECONDS} s long`, async ({ room }) => {
  test.setTimeout(JITTER_SECONDS * 1_000 + 90_000);
  await publishes(room);
  const ben = await watches(room, BEN, { delayMs: 200, jitterMs: 50 });
  await ben.becomes(CAMERA.width);
  const from = Date.now();
  await ben.page.waitForTimeout(JITTER_SECONDS * 1_000);
  const fps = await ben.reception.framesPerSecond(from);
  report(`${fps.toFixed(1)} frames/s, ${percent(await ben.reception.concealed(from))} of the sound concealed`);
  const downgrades = await ben.reception.downgrades(from);
  report(`${downgrades} times a smaller picture`);
  // The goal is none: docs/known-limits.md.
  expect(downgrades).toBeLessThanOrEqual(Math.ceil(JITTER_SECONDS / 40));
  expect(fps).toBeGreaterThan(12);
});

/** Somebody who speaks and moves. */
async function publishes(room: Room): Promise<Person> {
  return room.join({ ...ANNA, tone: 200, speaking: true, busy: true }, { camera: CAMERA });
}

/** Somebody who only watches, through a network or by the straight way. */
async function watches(room: Room, look: Look, network?: Network): Promise<Viewer> {
  const forwarded = new Forwarded();
  let link: Link | undefined;
  if (network) {
    link = await room.link();
    link.shape = forwarded.before(through(network));
  }
  const person = await room.join({ ...look, refusal: 'NotFoundError' }, { viewport: LARGE, link });
  await expect.poll(() => person.frames(ANNA), { timeout: 30_000 }).toBeGreaterThan(0);
  return new Viewer(person, forwarded, await Reception.begin(person.page));
}

class Viewer {
  constructor(
    private readonly person: Person,
    /** What was sent down to the viewer. */
    readonly forwarded: Forwarded,
    readonly reception: Reception,
  ) {}

  get page() {
    return this.person.page;
  }

  /** Waits until the picture has this width. */
  async becomes(width: number, timeout = 60_000): Promise<void> {
    const received = async () => (await this.reception.last()).width;
    await expect.poll(received, { timeout, intervals: [100] }).toBe(width);
  }
}

function percent(share = Number.NaN): string {
  return `${(share * 100).toFixed(1)} %`;
}
