import { ANNA, BEN, FPS, meet, type Person } from '../support/person.js';
import { expect, type Room, report, test } from '../support/test.js';

/** From the first lost beat until the page says so. */
const NOTICED_MS_MAX = 3_500;

test('a page that loses its socket keeps its media, and comes back unseen', async ({ room }) => {
  const { link, anna, ben, id, departures } = await meetByLink(room);

  link.refuseTcp();
  const banner = anna.page.getByTestId('connection-banner');
  await expect(banner).toBeVisible({ timeout: NOTICED_MS_MAX });
  await meet(anna, ben);
  await expect(banner).toBeVisible();
  // What is asked for meanwhile is done afterwards.
  await anna.page.getByTestId('toggle-mic').click();
  await ben.hearsNothingOf(ANNA);
  await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'false');

  link.mendTcp();
  await expect(banner).toBeHidden();
  await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'true');
  await anna.page.getByTestId('toggle-mic').click();
  await meet(anna, ben);
  expect(await ben.tile(ANNA).getAttribute('data-participant-id')).toBe(id);
  for (const seen of departures) expect(await seen()).toEqual([]);

  await ben.leave();
  await expect.poll(departures[0], { message: 'who does leave is seen to' }).not.toEqual([]);
});

test('a page that loses its socket and its media path for 10 s comes back with media, unseen', async ({ room }) => {
  const { link, anna, ben, id, departures } = await meetByLink(room);

  const lost = Date.now();
  link.shape = () => 'lost';
  link.hangTcp();
  const banner = anna.page.getByTestId('connection-banner');
  await expect(banner).toBeVisible({ timeout: NOTICED_MS_MAX });
  const noticed = Date.now();
  const frozen = await ben.frames(ANNA);
  await expect.poll(() => Date.now() - lost, { intervals: [100] }).toBeGreaterThan(10_000);
  expect(await ben.frames(ANNA), 'the path was really cut').toBeLessThanOrEqual(frozen + 1);
  await expect(banner).toBeVisible();

  link.mendTcp();
  link.shape = () => 0;
  const mended = Date.now();
  const since = async (event: Promise<unknown>) => event.then(() => Date.now() - mended);
  const moves = (on: Person, of: Person) => {
    const start = on.frames(of.look);
    return expect.poll(async () => (await on.frames(of.look)) - (await start), { intervals: [50] }).toBeGreaterThan(3);
  };
  const [socket, seesAgain, isSeenAgain] = await Promise.all([
    since(expect(banner).toBeHidden()),
    since(moves(anna, ben)),
    since(moves(ben, anna)),
  ]);
  await meet(anna, ben);
  expect(await ben.tile(ANNA).getAttribute('data-participant-id')).toBe(id);
  for (const seen of departures) expect(await seen()).toEqual([]);
  report(
    `the page noticed after ${noticed - lost} ms; once the network was back it took ${socket} ms to a socket, ${seesAgain} ms to see, ${isSeenAgain} ms to be seen`,
  );
});

/** Long enough for the grace time of a page that closes, and far below that of a socket that breaks. */
const CLOSED_MS_MAX = 10_000;

for (const by of ['websocket', 'polling'] as const) {
  test(`a tab that is closed is gone for the others soon, one that is reloaded never (${by})`, async ({ room }) => {
    const ben = await room.join(BEN);
    const anna = await room.open(ANNA);
    if (by === 'polling') {
      await anna.page.addInitScript(refuseWebSockets);
      await anna.page.reload();
    }
    await anna.enter();
    await meet(anna, ben);
    const id = await ben.tile(ANNA).getAttribute('data-participant-id');
    const departures = await ben.departures();

    await anna.page.reload();
    await expect(anna.page.getByTestId('leave')).toBeVisible();
    await meet(anna, ben);
    // Longer than the hold that the reload began.
    await expect.poll(() => anna.frames(BEN), { timeout: 20_000 }).toBeGreaterThan(7 * FPS);
    expect(await ben.tile(ANNA).getAttribute('data-participant-id')).toBe(id);
    expect(await departures()).toEqual([]);

    const closed = Date.now();
    await anna.page.close({ runBeforeUnload: true });
    await expect(ben.tile(ANNA)).toHaveCount(0, { timeout: CLOSED_MS_MAX });
    report(`${by}: gone after ${Date.now() - closed} ms`);
  });
}

/** As a network does that lets none through: nobody answers at their port. */
function refuseWebSockets(): void {
  globalThis.WebSocket = class extends WebSocket {
    constructor() {
      super(`ws://${location.hostname}:9`);
    }
  };
}

/** Anna, by a way to the server that can be made bad, meets Ben; who goes away from now on is noted. */
async function meetByLink(room: Room) {
  const link = await room.link();
  const anna = await room.join(ANNA, { link });
  const ben = await room.join(BEN);
  await meet(anna, ben);
  const id = await ben.tile(ANNA).getAttribute('data-participant-id');
  const departures = await Promise.all([anna.departures(), ben.departures()]);
  return { link, anna, ben, id, departures };
}
