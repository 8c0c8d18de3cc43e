import { ANNA, BEN, CARA } from '../support/person.js';
import { expect, test } from '../support/test.js';

test('what is written is there for all in one order, also for who comes later, and is text', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN);
  await anna.openChat();
  await expect(anna.page.getByText('No messages yet')).toBeVisible();
  await anna.write('<b>hello</b>');
  await expect(ben.page.getByTestId('chat-unread')).toHaveText('1');
  await expect(anna.page.getByTestId('chat-unread')).toHaveCount(0);

  // Both at once, so that their order is the room's to say.
  await ben.openChat();
  await expect(ben.page.getByTestId('chat-unread')).toHaveCount(0);
  const own = ['see https://example.com/a?b, and', 'two', 'three'];
  await Promise.all([
    (async () => {
      for (const text of own) await anna.write(text);
    })(),
    (async () => {
      for (const text of ['1', '2', '3']) await ben.write(text);
    })(),
  ]);
  for (const person of [anna, ben]) {
    await expect(person.messages).toHaveCount(7);
    await expect(person.messagesUnderWay).toHaveCount(0);
  }
  const order = await anna.messages.allTextContents();
  expect(order[0]).toBe('<b>hello</b>');
  expect([...order].sort()).toEqual(['<b>hello</b>', ...own, '1', '2', '3'].sort());
  expect(order.filter((text) => own.includes(text))).toEqual(own);
  expect(await ben.messages.allTextContents()).toEqual(order);

  const cara = await room.join(CARA);
  await cara.openChat();
  await expect(cara.messages).toHaveText(order);
  const links = cara.messages.locator('a');
  await expect(links).toHaveCount(1);
  await expect(links).toHaveAttribute('href', 'https://example.com/a?b');
  await expect(links).toHaveAttribute('rel', 'noopener noreferrer');
  await expect(cara.messages.locator('b')).toHaveCount(0);
  await expect(cara.page.locator('[data-testid="chat-log"] [data-own="true"]')).toHaveCount(0);

  const input = cara.page.getByTestId('chat-input');
  await input.fill('one line');
  await input.press('Shift+Enter');
  await input.pressSequentially('and another');
  await input.press('Enter');
  await expect(ben.messages.last()).toHaveText('one line\nand another', { useInnerText: true });
  await expect(input).toHaveValue('');

  await input.press('Escape');
  await expect(cara.page.getByTestId('chat-panel')).toHaveCount(0);
  await expect(cara.page.getByTestId('toggle-chat')).toBeFocused();
  await cara.page.keyboard.press('Control+K');
  await expect(input).toBeFocused();
});

test('what is written while the network is away waits, and arrives once', async ({ room }) => {
  const link = await room.link();
  const anna = await room.join(ANNA, { link });
  const ben = await room.join(BEN);
  await anna.write('before');
  await ben.openChat();
  await expect(ben.messages).toHaveText(['before']);

  link.refuseTcp();
  await expect(anna.page.getByTestId('connection-banner')).toBeVisible();
  await anna.write('during');
  await anna.write('and more');
  await expect(anna.messagesUnderWay).toHaveCount(2);
  await expect(anna.messagesUnderWay.first()).toHaveAttribute('data-state', 'sending');
  await ben.write('meanwhile');
  await expect(ben.messages).toHaveText(['before', 'meanwhile']);
  await expect(anna.messages).toHaveText(['before']);

  link.mendTcp();
  const all = ['before', 'meanwhile', 'during', 'and more'];
  for (const person of [anna, ben]) await expect(person.messages).toHaveText(all);
  await expect(anna.messagesUnderWay).toHaveCount(0);
  await ben.write('after');
  for (const person of [anna, ben]) await expect(person.messages).toHaveText([...all, 'after']);
});
