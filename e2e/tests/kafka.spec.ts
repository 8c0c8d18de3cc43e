import { Kafka } from '../support/kafka.js';
import { ANNA, BEN, CARA, meet, Person } from '../support/person.js';
import { Server } from '../support/server.js';
import { expect, report, test } from '../support/test.js';

const OUTAGE_MS = 12_000;

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
    await anna.write('before');

    await kafka.kill();
    await expect.poll(readiness).toEqual({ status: 'degraded' });
    await meet(anna, ben);
    await anna.write('during');
    await expect(anna.messagesUnderWay).toHaveAttribute('data-state', 'sending');
    await anna.page.getByTestId('toggle-mic').click();
    await ben.hearsNothingOf(ANNA);
    await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'false');
    expect(await server.metric('hyperion_log_reachable')).toBe(0);
    // Longer than other requests are repeated.
    await anna.page.waitForTimeout(OUTAGE_MS);
    await expect(anna.messagesUnderWay).toHaveAttribute('data-state', 'sending');
    await expect(anna.messages).toHaveText(['before']);

    await kafka.startAgain();
    await expect.poll(readiness).toEqual({ status: 'ready' });
    const back = Date.now();
    await expect(anna.messages).toHaveText(['before', 'during']);
    report(`what was written during the outage arrived ${Date.now() - back} ms after it`);
    await expect(anna.messagesUnderWay).toHaveCount(0);
    await expect(ben.tile(ANNA)).toHaveAttribute('data-muted', 'true');
    await anna.page.getByTestId('toggle-mic').click();
    await meet(anna, ben);
    const cara = await Person.join(browser, room, CARA);
    await meet(cara, anna);
    await expect(ben.page.getByTestId('tile')).toHaveCount(3);
    for (const person of [ben, cara]) {
      await person.openChat();
      await expect(person.messages).toHaveText(['before', 'during']);
    }
    for (const person of [anna, ben, cara]) await person.context.close();
  } finally {
    await server?.stop();
    await kafka.stop();
  }
});
