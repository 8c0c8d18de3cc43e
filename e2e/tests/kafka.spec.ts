import { Kafka } from '../support/kafka.js';
import { ANNA, BEN, CARA, meet, Person } from '../support/person.js';
import { Server } from '../support/server.js';
import { expect, test } from '../support/test.js';

test('a meeting on Kafka goes on without it, and what was asked for meanwhile is done when it is back', async ({
  browser,
}) => {
  test.setTimeout(180_000);
  const kafka = await Kafka.start();
  let server: Server | undefined;
  try {
    server = await Server.start('--kafka', kafka.address);
    const room = new URL('/r/kafka', server.url).href;
    const readiness = async () => (await fetch(new URL('/readyz', room))).json() as Promise<unknown>;
    expect(await readiness()).toEqual({ status: 'ready' });
    const anna = await Person.join(browser, room, ANNA);
    const ben = await Person.join(browser, room, BEN);
    await meet(anna, ben);

    await kafka.kill();
    await expect.poll(readiness).toEqual({ status: 'degraded' });
    await meet(anna, ben);
    await anna.page.getByTestId('toggle-mic').click();
    await ben.hearsNothingOf(ANNA);
    await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'false');
    expect(await server.metric('hyperion_log_reachable')).toBe(0);

    await kafka.startAgain();
    await expect.poll(readiness).toEqual({ status: 'ready' });
    await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'true');
    await anna.page.getByTestId('toggle-mic').click();
    await meet(anna, ben);
    const cara = await Person.join(browser, room, CARA);
    await meet(cara, anna);
    await expect(ben.page.getByTestId('tile')).toHaveCount(3);
    for (const person of [anna, ben, cara]) await person.context.close();
  } finally {
    await server?.stop();
    await kafka.stop();
  }
});
