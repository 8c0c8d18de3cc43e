import { expect, test } from '@playwright/test';
import { ANNA, BEN, CARA, DAVID, Person } from '../support/person.js';
import { Server } from '../support/server.js';

test.describe('a call', () => {
  let server: Server;
  test.beforeAll(async () => {
    server = await Server.start();
  });
  test.afterAll(async () => {
    await server.stop();
  });

  const room = (name: string) => new URL(`/r/${name}`, server.url).href;

  test('three people see and hear each other, a fourth joins late, one leaves', async ({ browser }) => {
    test.setTimeout(180_000);
    const anna = await Person.join(browser, room('three'), ANNA);
    const ben = await Person.join(browser, room('three'), BEN);
    const cara = await Person.join(browser, room('three'), CARA);
    const present = [anna, ben, cara];
    for (const person of present) {
      for (const other of present.filter((other) => other !== person)) {
        await person.sees(other.look);
        await person.hears(other.look);
      }
    }

    await anna.page.getByTestId('toggle-mic').click();
    await ben.hearsNothingOf(ANNA);
    await ben.hears(CARA);
    await anna.page.getByTestId('toggle-mic').click();
    await ben.hears(ANNA);

    const david = await Person.join(browser, room('three'), DAVID);
    for (const other of present) {
      await david.sees(other.look);
      await david.hears(other.look);
    }
    await anna.sees(DAVID);
    await anna.hears(DAVID);

    await ben.leave();
    await expect(anna.tile(BEN)).toHaveCount(0);
    await expect(anna.page.getByTestId('tile')).toHaveCount(3);
    await anna.sees(CARA);
    for (const person of [anna, cara, david]) await person.context.close();
  });

  test('two rooms do not hear each other', async ({ browser }) => {
    const anna = await Person.join(browser, room('one'), ANNA);
    const ben = await Person.join(browser, room('one'), BEN);
    const cara = await Person.join(browser, room('two'), CARA);
    await anna.sees(BEN);
    await expect(anna.page.getByTestId('tile')).toHaveCount(2);
    await expect(cara.page.getByTestId('tile')).toHaveCount(1);
    for (const person of [anna, ben, cara]) await person.context.close();
  });

  test('a reload comes back as the same person', async ({ browser }) => {
    const anna = await Person.join(browser, room('reload'), ANNA);
    const ben = await Person.join(browser, room('reload'), BEN);
    await ben.sees(ANNA);
    const id = await ben.tile(ANNA).getAttribute('data-participant-id');
    await anna.page.reload();
    // No green room: whoever was in the meeting is in it again.
    await expect(anna.page.getByTestId('leave')).toBeVisible();
    await anna.sees(BEN);
    await ben.sees(ANNA);
    await ben.hears(ANNA);
    await expect(ben.page.getByTestId('tile')).toHaveCount(2);
    expect(await ben.tile(ANNA).getAttribute('data-participant-id')).toBe(id);
    for (const person of [anna, ben]) await person.context.close();
  });
});
