import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';

const SCRIPT = fileURLToPath(new URL('../../script/compose-test', import.meta.url));
const COMPOSE = fileURLToPath(new URL('../../deploy/compose.yaml', import.meta.url));
const call = promisify(execFile);

export interface Place {
  node: string;
  iceServers: { urls: string[]; username: string; credential: string }[];
}

/** The stack of deploy/compose.yaml that `script/compose-test up` brought up. */
export class Stack {
  readonly url = process.env.HYPERION_URL ?? 'https://localhost/';

  room(name: string): string {
    return new URL(`/r/${name}`, this.url).href;
  }

  /** Where a newcomer is sent, and with what. */
  async place(room: string): Promise<Place> {
    return new Promise((resolve, reject) => {
      const url = new URL(`/api/v1/rooms/${room}/join`, this.url);
      const options = { method: 'POST', rejectUnauthorized: false };
      const asked = request(url, options, async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        if (answer.statusCode === 200) resolve(JSON.parse(body) as Place);
        else reject(new Error(`${answer.statusCode} ${body}`));
      });
      asked.on('error', reject);
      asked.end('{}');
    });
  }

  /** How many sockets of people a node has, by its own account. */
  async sockets(node: string): Promise<number> {
    const ask =
      "exec 3<>/dev/tcp/127.0.0.1/4400; printf 'GET /metrics HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3";
    const metrics = await this.exec(node, 'bash', '-c', ask);
    return Number(/^hyperion_session_sockets (\S+)$/m.exec(metrics)?.[1]);
  }

  /** The one node that all of these people are on. */
  async nodeOf(room: string, people: number): Promise<string> {
    let found = '';
    await expect(async () => {
      const { node } = await this.place(room);
      expect(await this.sockets(node), `sockets on ${node}`).toBeGreaterThanOrEqual(people);
      found = node;
    }).toPass({ timeout: 30_000 });
    return found;
  }

  /** A room that newcomers to it are sent to this node for, while nobody is in it. */
  async roomOn(node: string): Promise<string> {
    for (let number = 0; number < 200; number++) {
      const room = `room-${Date.now()}-${number}`;
      if ((await this.place(room)).node === node) return room;
    }
    throw new Error(`nobody is sent to ${node}`);
  }

  async kill(service: string): Promise<void> {
    await this.docker('kill', this.#container(service));
  }

  /** Starts what was killed. Resolves when it is healthy. */
  async start(service: string): Promise<void> {
    await this.docker('start', this.#container(service));
    await this.healthy(service);
  }

  async healthy(service: string): Promise<void> {
    const health = () => this.docker('inspect', '--format', '{{.State.Health.Status}}', this.#container(service));
    await expect.poll(health, { timeout: 90_000 }).toBe('healthy');
  }

  /** Adds a node as one would who adds its lines to the file, and brings the stack up again. */
  async addNode(number: number): Promise<void> {
    const text = await readFile(COMPOSE, 'utf8');
    const last = / {2}node-3:\n(?: {4}.*\n)+/.exec(text)?.[0];
    if (!last) throw new Error('compose.yaml has no node-3');
    const lines = last.replaceAll('node-3', `node-${number}`).replaceAll('44103', String(44100 + number));
    await this.#edit(text.replace(last, () => last + lines));
    await this.healthy(`node-${number}`);
  }

  /** Lets so many people of one room onto one node, as one would who adds a setting to the file. */
  async limitPerNode(people: number): Promise<void> {
    const text = await readFile(COMPOSE, 'utf8');
    const settings = '{HYPERION_CONFIG: /etc/hyperion/hyperion.toml';
    const more = `, HYPERION_LIMITS_PARTICIPANTS_PER_ROOM_AND_NODE: "${people}"`;
    if (!text.includes(settings)) throw new Error('compose.yaml has another environment of nodes');
    await this.#edit(text.replace(settings, settings + more));
    for (const node of ['node-1', 'node-2', 'node-3']) await this.healthy(node);
  }

  /** Brings the stack up again, with other settings. */
  async up(settings: Record<string, string>): Promise<void> {
    await call(SCRIPT, ['compose', 'up', '--detach', '--no-build', '--remove-orphans'], {
      env: { ...process.env, ...settings },
    });
    await this.healthy('nginx');
  }

  /** The beginning of what answers to some bytes by TLS to a name at the page's port. */
  async askByTls(servername: string, question: Buffer): Promise<Buffer> {
    const { hostname, port } = new URL(this.url);
    const socket = connect({ host: hostname, port: Number(port || 443), servername, rejectUnauthorized: false });
    try {
      socket.write(question);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer;
    } finally {
      socket.destroy();
    }
  }

  async exec(service: string, ...words: string[]): Promise<string> {
    return this.docker('exec', this.#container(service), ...words);
  }

  async docker(...words: string[]): Promise<string> {
    return (await call(SCRIPT, ['docker', ...words])).stdout.trim();
  }

  /** Brings the stack up as the file would be with this text. The script knows, so that it takes all of it away. */
  async #edit(text: string): Promise<void> {
    const folder = join(process.env.HYPERION_CACHE ?? join(homedir(), '.cache/hyperion'), 'docker');
    await writeFile(join(folder, 'more.yaml'), text);
    await this.up({});
  }

  #container(service: string): string {
    return `hyperion-${service}-1`;
  }
}
