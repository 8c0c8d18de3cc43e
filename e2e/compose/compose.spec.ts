import { ANNA, BEN, CARA, meet, Person } from '../support/person.js';
import { Stack } from '../support/stack.js';
import { expect, report, test } from '../support/test.js';

/** As of a cluster without containers: five times the goal. */
const STANDSTILL_MS_MAX = 25_000;

const stack = new Stack();

test('people see and hear each other through the one URL, and go on when their node is killed', async ({ browser }) => {
  test.setTimeout(180_000);
  const room = stack.room('team');
  const anna = await Person.join(browser, room, ANNA);
  const ben = await Person.join(browser, room, BEN);
  await meet(anna, ben);
  for (const way of await anna.ways()) expect(way).toMatch(/^(host|prflx) udp$/);
  const first = await stack.nodeOf('team', 2);
  const departures = await Promise.all([anna, ben].map((person) => person.departures()));
  const standstills = await Promise.all([anna, ben].map((person) => person.standstill()));
  await anna.write('before');

  await stack.kill(first);
  await meet(anna, ben);
  const longest = Math.round(Math.max(...(await Promise.all(standstills.map((read) => read())))));
  const second = await stack.nodeOf('team', 2);
  expect(second).not.toBe(first);
  report(`${first} was killed: pictures stood still for ${longest} ms, then came from ${second}`);
  expect(longest).toBeLessThan(STANDSTILL_MS_MAX);
  for (const seen of departures) expect(await seen()).toEqual([]);
  await ben.openChat();
  await expect(ben.messages).toHaveText(['before']);

  await stack.start(first);
  for (const { context } of [anna, ben]) await context.close();
});

test('whose network lets nothing but TURN through is seen and heard', async ({ browser }) => {
  const room = stack.room('relayed');
  const anna = await Person.join(browser, room, ANNA, { relayed: true });
  const ben = await Person.join(browser, room, BEN);
  await meet(anna, ben);
  expect(await anna.ways()).toEqual(['relay udp', 'relay udp']);
  for (const { context } of [anna, ben]) await context.close();
});

test('TURN leads to the media ports and nowhere else', async () => {
  const { iceServers } = await stack.place('nobody');
  const [{ urls: [url = ''] = [], username, credential } = { urls: [], username: '', credential: '' }] = iceServers;
  const [, address = ''] = /^turn:([^:]+):/.exec(url) ?? [];
  const relayTo = (peer: string) =>
    stack
      .docker(
        ...['exec', 'hyperion-coturn-1', 'turnutils_uclient', '-n', '1', '-c', '-u', username, '-w', credential],
        ...['-e', peer, '-r', '44101', address],
      )
      .catch((error: { stdout: string; stderr: string }) => error.stdout + error.stderr);
  const node = await stack.docker(
    'inspect',
    '-f',
    '{{.NetworkSettings.Networks.hyperion_nodes.IPAddress}}',
    'hyperion-node-1-1',
  );
  for (const peer of ['10.0.0.1', '169.254.169.254', '192.168.1.1', '203.0.113.9', node]) {
    expect(await relayTo(peer), peer).toContain('403');
  }
  expect(await relayTo(address)).toContain('Total transmit time');
});

test('a node speaks plain HTTP to Nginx only', async () => {
  const ask = "exec 3<>/dev/tcp/node-1/4400; printf 'GET / HTTP/1.0\\r\\nHost: node-1\\r\\n\\r\\n' >&3; head -n 1 <&3";
  expect(await stack.exec('node-2', 'bash', '-c', ask)).toContain('307');
  expect(await stack.exec('nginx', 'bash', '-c', ask)).toContain('200');
});

test('a fourth node gets people', async ({ browser }) => {
  test.setTimeout(180_000);
  await stack.addNode(4);
  const name = await stack.roomOn('node-4');
  const ben = await Person.join(browser, stack.room(name), BEN);
  const cara = await Person.join(browser, stack.room(name), CARA);
  await meet(ben, cara);
  expect(await stack.nodeOf(name, 2)).toBe('node-4');
  for (const { context } of [ben, cara]) await context.close();
});

test('people of one room on different nodes see and hear each other', async ({ browser }) => {
  test.setTimeout(180_000);
  await stack.limitPerNode(1);
  const room = stack.room('spread');
  const anna = await Person.join(browser, room, ANNA);
  const ben = await Person.join(browser, room, BEN);
  await meet(anna, ben);
  const sockets = await Promise.all(['node-1', 'node-2', 'node-3'].map((node) => stack.sockets(node)));
  expect(sockets.sort()).toEqual([0, 1, 1]);
  for (const { context } of [anna, ben]) await context.close();
});

test('TLS to the name of TURN leads to it, and to any other to the page', async () => {
  await stack.up({ HYPERION_TURN_NAME: 'turn.localhost' });
  for (const node of ['node-1', 'node-2', 'node-3']) await stack.healthy(node);
  const { iceServers } = await stack.place('nobody');
  const port = new URL(stack.url).port || '443';
  expect(iceServers.flatMap(({ urls }) => urls)).toContain(`turns:turn.localhost:${port}?transport=tcp`);
  // A STUN binding request (RFC 8489 5), and the beginning of the answer.
  const binding = Buffer.from('000100002112a442000102030405060708090a0b', 'hex');
  expect((await stack.askByTls('turn.localhost', binding)).toString('hex', 0, 2)).toBe('0101');
  const page = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect((await stack.askByTls('localhost', page)).toString('utf8', 0, 15)).toBe('HTTP/1.1 200 OK');
});
