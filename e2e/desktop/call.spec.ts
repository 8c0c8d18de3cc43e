import { ANNA, BEN, meet, Person } from '../support/person.js';
import { expect, test } from './test.js';

test('somebody in the desktop client and somebody in a browser see and hear each other', async ({ room, start }) => {
  const client = await start({ server: room.server.url });
  const anna = await Person.at(await client.page(room.server.url), room.url, ANNA);
  await anna.enter();
  const ben = await room.join(BEN);
  await meet(anna, ben);
  expect(await client.shown()).toBe(1);
});
