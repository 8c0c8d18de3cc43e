import { type Browser, expect, type Page, test } from '@playwright/test';
import type { Channels, Received } from '../support/channels.js';
import { ExamplePage } from '../support/example.js';
import { Server } from '../support/server.js';
import { report } from '../support/test.js';

declare const channels: Channels;

let page: ExamplePage;
let server: Server;
test.beforeAll(async () => {
  page = await ExamplePage.serve('../e2e/pages/channels');
  server = await Server.start('--allowed-origins', page.origin);
});
test.afterAll(async () => {
  await server.stop();
  await page.stop();
});

/** A page of its own in this test's room. */
async function enter(browser: Browser, name: string): Promise<Page> {
  const context = await browser.newContext();
  const person = await context.newPage();
  await person.goto(page.url({ server: new URL(server.url).origin, room: test.info().testId, name }));
  await expect(person.locator('body')).toHaveText('ready');
  return person;
}

async function two(browser: Browser): Promise<[Page, Page]> {
  return [await enter(browser, 'Anna'), await enter(browser, 'Ben')];
}

const receive = (person: Page, id: string, times = 1) =>
  person.evaluate(([id, times]) => channels.receive(id as string, times as number), [id, times] as const);
const received = (person: Page, id: string): Promise<Received[]> => person.evaluate((id) => channels.received(id), id);
const sendText = (person: Page, id: string, texts: string[]) =>
  person.evaluate(([id, texts]) => channels.sendText(id, texts), [id, texts] as [string, string[]]);
const sendBytes = (person: Page, id: string, n: number, bytes: number) =>
  person.evaluate(([id, n, bytes]) => channels.sendBytes(id, n, bytes), [id, n, bytes] as [string, number, number]);
const TEXTS = Array.from({ length: 100 }, (_, n) => `message ${n} äöü`);

test('an ordered channel brings every message in order, both ways, texts, empty ones and 200 KB', async ({
  browser,
}) => {
  const [anna, ben] = await two(browser);
  for (const [from, to] of [
    [anna, ben],
    [ben, anna],
  ] as const) {
    const id = await from.evaluate(() => channels.open({ label: 'chat', protocol: 'text' }));
    const [consumer = ''] = await receive(to, id);
    await sendText(from, id, ['', ...TEXTS]);
    await sendBytes(from, id, 7, 200_000);
    await sendText(from, id, ['last']);
    await expect.poll(async () => (await received(to, consumer)).length).toBe(103);
    expect(await received(to, consumer)).toEqual([
      { text: '' },
      ...TEXTS.map((text) => ({ text })),
      { bytes: 200_000, intact: true },
      { text: 'last' },
    ]);
    const told = await to.evaluate(() => channels.notifications());
    const dataProducer = { id, label: 'chat', protocol: 'text' };
    expect(told).toContainEqual({ event: 'dataProducerAdded', data: expect.objectContaining({ dataProducer }) });
  }
  expect(await anna.evaluate(() => channels.maxMessageSize())).toBe(262_144);
  expect(await server.metric('hyperion_worker_data_messages_dropped_total')).toBe(0);
});

test('unordered channels, and those whose messages are not sent again, bring them whole', async ({ browser }) => {
  const [anna, ben] = await two(browser);
  for (const options of [{ ordered: false }, { ordered: false, maxRetransmits: 0 }, { maxPacketLifeTime: 500 }]) {
    const id = await anna.evaluate((options) => channels.open(options), options);
    const [consumer = ''] = await receive(ben, id);
    await sendText(anna, id, TEXTS);
    await sendBytes(anna, id, 3, 50_000);
    // Nothing is lost on this machine.
    await expect.poll(async () => (await received(ben, consumer)).length, JSON.stringify(options)).toBe(101);
    const messages = await received(ben, consumer);
    const texts = messages.flatMap((message) => ('text' in message ? [message.text] : []));
    expect(texts.sort()).toEqual([...TEXTS].sort());
    expect(messages).toContainEqual({ bytes: 50_000, intact: true });
  }
});

test('one channel has many consumers', async ({ browser }) => {
  const [anna, ben] = await two(browser);
  const id = await anna.evaluate(() => channels.open({ label: 'many' }));
  const consumers = await receive(ben, id, 50);
  expect(new Set(consumers).size).toBe(50);
  const before = Date.now();
  await sendText(anna, id, TEXTS);
  await sendBytes(anna, id, 9, 20_000);
  for (const consumer of consumers) {
    await expect.poll(async () => (await received(ben, consumer)).length).toBe(101);
    expect(await received(ben, consumer)).toEqual([
      ...TEXTS.map((text) => ({ text })),
      { bytes: 20_000, intact: true },
    ]);
  }
  report(`101 messages to 50 data consumers each within ${Date.now() - before} ms`);
});

test('a channel that its sender closes, and one whose sender leaves, closes at its receivers', async ({ browser }) => {
  const [anna, ben] = await two(browser);
  const first = await anna.evaluate(() => channels.open({ label: 'first' }));
  const second = await anna.evaluate(() => channels.open({ label: 'second' }));
  const [one = ''] = await receive(ben, first);
  const [other = ''] = await receive(ben, second);
  await sendText(anna, second, ['hello']);
  await expect.poll(() => received(ben, other)).toEqual([{ text: 'hello' }]);

  await anna.evaluate((id) => channels.closeProducer(id), first);
  await expect.poll(() => ben.evaluate((id) => channels.consumerState(id), one)).toBe('closed');
  const told = () => ben.evaluate(() => channels.notifications());
  const closed = { event: 'dataConsumerClosed', data: { dataConsumerId: one, reason: 'producerClosed' } };
  await expect.poll(told).toContainEqual(closed);
  const data = { seq: expect.any(Number), dataProducerId: first };
  await expect.poll(told).toContainEqual({ event: 'dataProducerClosed', data });
  expect(await ben.evaluate((id) => channels.consumerState(id), other)).toBe('open');

  await anna.context().close();
  const reason = 'producerClosed';
  await expect
    .poll(told, { timeout: 15_000 })
    .toContainEqual({ event: 'dataConsumerClosed', data: { dataConsumerId: other, reason } });
  await expect.poll(() => ben.evaluate((id) => channels.consumerState(id), other)).toBe('closed');
  // A closed channel's place is free for the next.
  const [again = ''] = await receive(ben, await ben.evaluate(() => channels.open({ label: 'to myself' })));
  expect(again).not.toBe('');
});
