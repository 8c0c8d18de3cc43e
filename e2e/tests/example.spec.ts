import { expect, test } from '@playwright/test';
import { ExamplePage } from '../support/example.js';
import { ANNA, BEN, Person } from '../support/person.js';
import { Server } from '../support/server.js';

test.describe('the example page of docs, on an origin of its own', () => {
  let example: ExamplePage;
  test.beforeAll(async () => {
    example = await ExamplePage.serve();
  });
  test.afterAll(async () => {
    await example.stop();
  });

  test('joins a room where the server allows its origin: it and the web client see and hear each other', async ({
    browser,
  }) => {
    const server = await Server.start('--allowed-origins', example.origin);
    const anna = await Person.open(
      browser,
      example.url({ server: origin(server), room: 'daily', name: ANNA.name }),
      ANNA,
    );
    const ben = await Person.join(browser, new URL('/r/daily', server.url).href, BEN);
    await anna.sees(BEN);
    await anna.hears(BEN);
    await ben.sees(ANNA);
    await ben.hears(ANNA);
    await expect(anna.page.getByTestId('tile')).toHaveCount(2);

    await ben.leave();
    await expect(anna.tile(BEN)).toHaveCount(0);
    await anna.context.close();
    await server.stop();
  });

  test('is kept out where the server does not', async ({ browser }) => {
    const server = await Server.start();
    const anna = await Person.open(
      browser,
      example.url({ server: origin(server), room: 'daily', name: ANNA.name }),
      ANNA,
    );
    await expect(anna.page.locator('body')).toHaveText(/does not answer$/);
    expect(await server.metric('hyperion_signaling_refused_origin_total')).toBeGreaterThan(0);
    await anna.context.close();
    await server.stop();
  });
});

function origin(server: Server): string {
  return new URL(server.url).origin;
}
