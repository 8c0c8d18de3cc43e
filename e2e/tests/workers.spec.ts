import { ANNA, BEN, CARA, joinAll, meet } from '../support/person.js';
import { Server } from '../support/server.js';
import { expect, test } from '../support/test.js';

/** One person of a room on each worker, so that every picture and every voice crosses. */
const FLAGS = ['--workers', '3', '--limits-participants-per-room-and-worker', '1'];

test('people of one room on three workers see and hear each other, mute, reload and leave', async ({ browser }) => {
  test.setTimeout(180_000);
  const server = await Server.start(...FLAGS);
  try {
    const room = new URL('/r/three-workers', server.url).href;
    const [anna, ben, cara] = await joinAll(browser, room, [ANNA, BEN, CARA]);
    expect(await server.metric('hyperion_relay_local_pipes')).toBe(3);
    // Each has a microphone and a camera, which go to the two others' workers.
    expect(await server.metric('hyperion_relay_fed_locally')).toBe(12);

    await anna.page.getByTestId('toggle-mic').click();
    for (const other of [ben, cara]) await other.hearsNothingOf(ANNA);
    await ben.hears(CARA);
    await anna.page.getByTestId('toggle-mic').click();
    for (const other of [ben, cara]) await other.hears(ANNA);

    await ben.page.reload();
    await expect(ben.page.getByTestId('leave')).toBeVisible();
    for (const other of [anna, cara]) await meet(ben, other);

    await cara.leave();
    await expect(anna.tile(CARA)).toHaveCount(0);
    await meet(anna, ben);
    await expect.poll(() => server.metric('hyperion_relay_fed_locally')).toBe(4);
    for (const { context } of [anna, ben]) await context.close();
  } finally {
    await server.stop();
  }
});
