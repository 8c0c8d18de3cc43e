import { request as httpRequest } from 'node:http';

import { Nginx } from '../support/nginx.js';
import { type Seen, StandIn } from '../support/stand-in.js';
import { expect, test } from '../support/test.js';

// The configuration of deploy/nginx in a real Nginx, in front of nodes that do what a test wants.

let nodes: StandIn[];
let nginx: Nginx;

test.beforeEach(async () => {
  nodes = await Promise.all(['node-1', 'node-2', 'node-3'].map((id) => StandIn.start(id)));
  nginx = await Nginx.start(nodes.map((node) => node.port));
});

test.afterEach(async () => {
  await nginx.stop();
  await Promise.all(nodes.map((node) => node.stop()));
});

for (const behaviour of ['refuse', 'freeze', 'break', 'gone'] as const) {
  test(`join and resume reach a node that answers when two ${behaviour}`, async () => {
    const [first, second, third] = nodes as [StandIn, StandIn, StandIn];
    // So that Nginx has connections to all of them that it may use again.
    for (let time = 0; time < 3; time++) await post('/api/v1/rooms/daily/join');
    expect(first.seen).toHaveLength(1);
    expect(third.seen).toHaveLength(1);
    for (const node of [first, third]) {
      if (behaviour === 'gone') await node.stop();
      else node.behaviour = behaviour;
    }
    for (const call of ['join', 'resume', 'join', 'resume', 'join', 'resume']) {
      expect(await post(`/api/v1/rooms/daily/${call}`)).toEqual({ status: 200, body: { node: second.id } });
    }
    // They were tried.
    if (behaviour !== 'gone') expect(first.seen.length + third.seen.length).toBeGreaterThan(2);
  });
}

test('when all nodes refuse, a node says why, and not Nginx', async () => {
  for (const node of nodes) node.behaviour = 'refuse';
  for (let time = 0; time < 8; time++) {
    expect(await post('/api/v1/rooms/daily/join')).toEqual({ status: 503, body: { code: 'log_unavailable' } });
  }
  expect((await get('/')).status).toBe(503);
  // And nobody waits when they are back.
  for (const node of nodes) node.behaviour = 'answer';
  expect((await get('/')).status).toBe(200);
  expect((await post('/api/v1/rooms/daily/join')).status).toBe(200);
});

test('the page comes from a node that lives; what is not safe to repeat is not repeated', async () => {
  for (let time = 0; time < 12; time++) expect((await get('/r/daily')).status).toBe(200);
  for (const node of nodes) expect(node.connections).toBe(1);
  await nodes[0]?.stop();
  for (let time = 0; time < 6; time++) expect((await get('/r/daily')).status).toBe(200);
  for (const node of nodes) node.behaviour = 'break';
  expect((await post('/api/v1/rooms')).status).toBe(502);
  expect(seen().filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('/nodes/{node}/ goes to that node only, without the prefix', async () => {
  for (const [path, there] of [
    ['/nodes/node-2/socket.io/?EIO=4&transport=polling', '/socket.io/?EIO=4&transport=polling'],
    ['/nodes/node-2/api/v1/rooms/daily/resume', '/api/v1/rooms/daily/resume'],
    ['/nodes/node-2/a%20b%3Fc%25d?x=%20y', '/a%20b%3Fc%25d?x=%20y'],
    ['/nodes/node-2/', '/'],
  ] as const) {
    expect(await get(path)).toEqual({ status: 200, body: { node: 'node-2' } });
    expect(nodes[1]?.seen.at(-1)?.path).toBe(there);
  }
  await nodes[1]?.stop();
  expect((await get('/nodes/node-2/socket.io/')).status).toBe(502);
  expect((await get('/nodes/node-9/socket.io/')).status).toBe(502);
  expect(nodes[0]?.seen).toEqual([]);
  expect(nodes[2]?.seen).toEqual([]);
  await nodes[1]?.startAgain();
  expect((await get('/nodes/node-2/socket.io/')).status).toBe(200);
});

test('paths that lead elsewhere lead nowhere', async () => {
  for (const path of [
    '/metrics',
    '/readyz',
    '/api/v1/drain',
    '/nodes/node-1/api/v1/drain',
    '/nodes/node-1/metrics',
    '/nodes/node-1/healthz',
    '/nodes/node-1/readyz/',
    '/nodes/node-1//metrics',
    '/nodes/node-1/%6detrics',
    '/nodes/node-1/x/../metrics',
    '/nodes/node-1/../../metrics',
    '/nodes/node_1/socket.io/',
    '/nodes/127.0.0.1:22/socket.io/',
    `/nodes/${'a'.repeat(33)}/socket.io/`,
    '/nodes/node-1',
  ]) {
    expect((await get(path)).status, path).toBe(404);
  }
  // A line break in the path is not one in what a node gets.
  await get('/nodes/node-1/a%0d%0aX-Forwarded-For:%201.2.3.4%0d%0a');
  for (const { path, headers } of seen()) {
    expect(path).toContain('%0D%0A');
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
  }
  expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
});

test('a node learns the peer and the address in the browser, and nothing that a client invents', async () => {
  const lies = {
    'x-forwarded-for': '1.2.3.4',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-real-ip': '1.2.3.4',
    forwarded: 'for=1.2.3.4',
    upgrade: 'h2c',
    connection: 'upgrade, http2-settings',
    'http2-settings': 'AAMAAABkAAQAAP__',
  };
  for (const path of ['/', '/api/v1/rooms/daily/join', '/nodes/node-1/socket.io/', '/socket.io/']) {
    await get(path, lies);
    const { headers } = seen().at(-1) as Seen;
    expect(headers.host).toBe(new URL(nginx.url).host);
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(headers['x-forwarded-proto']).toBe('http');
    for (const name of ['x-forwarded-host', 'x-real-ip', 'forwarded', 'upgrade', 'connection']) {
      expect(headers[name] ?? 'close', name).not.toMatch(/1\.2\.3\.4|evil|h2c|upgrade/);
    }
    for (const node of nodes) node.seen.length = 0;
  }
});

test('sockets live through reloads, during which nothing fails, and a reload brings new nodes', async () => {
  const socket = await Echo.open('/nodes/node-2/socket.io/?EIO=4&transport=websocket');
  expect(await socket.say('before')).toBe('before');
  let going = true;
  const load = [0, 1, 2, 3].map(async () => {
    const bad: number[] = [];
    let count = 0;
    for (; going; count++) {
      const { status } = count % 2 === 0 ? await post('/api/v1/rooms/daily/join') : await get('/nodes/node-1/x');
      if (status !== 200) bad.push(status);
    }
    return { bad, count };
  });
  const fourth = await StandIn.start('node-4');
  const ports = [...nodes, fourth].map((node) => node.port);
  for (let time = 0; time < 5; time++) {
    await nginx.reload(ports);
    expect(await socket.say(`after ${time}`)).toBe(`after ${time}`);
  }
  going = false;
  for (const { bad, count } of await Promise.all(load)) {
    expect(bad).toEqual([]);
    expect(count).toBeGreaterThan(0);
  }
  expect(await get('/nodes/node-4/x')).toEqual({ status: 200, body: { node: 'node-4' } });
  // It ends with its node, at once.
  const closed = socket.closed();
  await nodes[1]?.stop();
  await closed;
  await fourth.stop();
});

test('what one address asks for has limits, which are told in the words of the protocol', async () => {
  const big = await post('/api/v1/rooms/daily/join', 'x'.repeat(1024 * 1024 + 1));
  expect(big).toMatchObject({ status: 413, body: { code: 'too_large', retryable: false } });
  const strict = await Nginx.start(
    nodes.map((node) => node.port),
    { BALANCER_JOINS_PER_SECOND: '1', BALANCER_CONNECTIONS_PER_ADDRESS: '2' },
  );
  const ask = () => post('/api/v1/rooms/daily/join', '{}', strict.url);
  const answers = [];
  for (let time = 0; time < 14; time++) answers.push(await ask());
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(11);
  expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: 'rate_limited', retryable: true } });
  // Nor does a node's own address lead past it.
  expect((await post('/nodes/node-1/api/v1/rooms/daily/join', '{}', strict.url)).status).toBe(429);
  const sockets = [
    await Echo.open('/nodes/node-1/socket.io/', strict.url),
    await Echo.open('/nodes/node-2/socket.io/', strict.url),
  ];
  expect((await get('/', {}, strict.url)).status).toBe(429);
  for (const socket of sockets) await socket.close();
  await strict.stop();
});

test('the log has no query strings', async () => {
  await get('/nodes/node-1/socket.io/?EIO=4&sid=secret');
  await get('/nodes/node-9/socket.io/?EIO=4&sid=secret');
  await post('/api/v1/rooms/daily/join?token=secret');
  // Nginx writes a line after the answer.
  await expect.poll(() => nginx.accessLog()).toContain('"path":"/api/v1/rooms/daily/join"');
  const log = await nginx.accessLog();
  expect(log).toContain('"path":"/nodes/node-1/socket.io/"');
  expect(log).not.toMatch(/secret|\?|127\.0\.0\.1"/);
});

interface Answer {
  status: number;
  body: unknown;
}

function seen(): Seen[] {
  return nodes.flatMap((node) => node.seen);
}

function post(path: string, body = '{}', url = nginx.url): Promise<Answer> {
  return send('POST', path, { 'content-type': 'application/json' }, body, url);
}

function get(path: string, headers: Record<string, string> = {}, url = nginx.url): Promise<Answer> {
  return send('GET', path, headers, '', url);
}

/** Not `fetch`, which normalises paths and refuses some headers. */
function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
  url: string,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const json = response.headers['content-type'] === 'application/json';
        resolve({ status: response.statusCode ?? 0, body: json ? (JSON.parse(text) as unknown) : text });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A WebSocket to a stand-in. */
class Echo {
  private constructor(private readonly socket: WebSocket) {}

  static async open(path: string, url = nginx.url): Promise<Echo> {
    const socket = new WebSocket(new URL(path, url.replace(/^http/, 'ws')));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new Echo(socket);
  }

  say(text: string): Promise<string> {
    const answer = new Promise<string>((resolve) => {
      this.socket.addEventListener('message', (event) => resolve(String(event.data)), { once: true });
    });
    this.socket.send(text);
    return answer;
  }

  closed(): Promise<unknown> {
    return new Promise((resolve) => this.socket.addEventListener('close', resolve, { once: true }));
  }

  async close(): Promise<void> {
    const closed = this.closed();
    this.socket.close();
    await closed;
  }
}
