import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';
import { Way } from './way.js';

const SCRIPTS = fileURLToPath(new URL('../../script/', import.meta.url));
const DELAY = fileURLToPath(new URL('delay.py', import.meta.url));
const call = promisify(execFile);

export interface ClusterNode {
  readonly id: string;
  /** Its own address, past Nginx. */
  readonly url: string;
  /** Nothing while it does not run. */
  readonly pid: number | undefined;
}

export interface ClusterOptions {
  /** How many; they are node-1, node-2, … */
  nodes?: number;
  /** More flags for every node. */
  flags?: string[];
  /** Where Nginx listens, and with it the nodes and their media at ports that `filter` knows; free ones by default. */
  port?: number;
}

/**
 * A cluster of a test's own on free ports: Kafka, Redis, Nginx and nodes, by `script/cluster`, which removes all of it
 * when this process ends in whatever way.
 */
export class Cluster {
  #nodes: ClusterNode[] = [];
  #filtered = false;
  #delay: ChildProcess | undefined;
  readonly #ways: Way[] = [];

  private constructor(
    /** Nginx, where browsers go. */
    readonly url: string,
    private readonly folder: string,
    private readonly script: ChildProcess,
  ) {}

  static async start({ nodes = 3, flags = [], port = 0 }: ClusterOptions = {}): Promise<Cluster> {
    if (!process.env.HYPERION_BINARY) throw new Error('HYPERION_BINARY is not set: run the tests by script/test');
    const folder = join(tmpdir(), `hyperion-cluster-e2e-${process.pid}-${Date.now()}`);
    const settings = { CLUSTER_PORT: String(port), CLUSTER_NODES: String(nodes), CLUSTER_FLAGS: flags.join(' ') };
    const script = spawn(join(SCRIPTS, 'cluster'), ['run', folder], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...settings, RUST_BACKTRACE: '1' },
    });
    // What it does is only of interest when it fails.
    const said: string[] = [];
    createInterface({ input: script.stderr }).on('line', (line) => said.push(line));
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: script.stdout }).once('line', resolve);
      script.once('close', (code) => reject(new Error(`script/cluster ended with ${code}:\n${said.join('\n')}`)));
    });
    const cluster = new Cluster(url, folder, script);
    await cluster.#refresh();
    await cluster.#acquainted();
    return cluster;
  }

  /** As they were after the last call of this class. */
  get nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  node(id: string): ClusterNode {
    const node = this.#nodes.find((one) => one.id === id);
    if (!node) throw new Error(`there is no ${id}`);
    return node;
  }

  /** Ends a node by SIGKILL. */
  async kill(id: string): Promise<void> {
    await this.#cluster('kill', id);
  }

  /** Ends a node in good order: resolves when it has drained and gone. */
  async stopNode(id: string): Promise<void> {
    await this.#cluster('stop-node', id);
  }

  /** Starts a node that was ended, or a new one with the next number. Resolves when it is ready. */
  async start(id: string): Promise<void> {
    await this.#cluster('start-node', id);
  }

  /** Starts a node that was ended and may not become ready now. Resolves when its process is there. */
  async launch(id: string): Promise<void> {
    const ready = this.#cluster('start-node', id).catch(() => {});
    const isThere = async () => {
      await this.#refresh();
      return this.node(id).pid !== undefined;
    };
    while (!(await isThere())) await Promise.race([ready, new Promise((resolve) => setTimeout(resolve, 200))]);
  }

  /** Freezes a node: its sockets stay open and nobody answers. */
  pause(id: string): void {
    process.kill(this.#running(id), 'SIGSTOP');
  }

  continue(id: string): void {
    process.kill(this.#running(id), 'SIGCONT');
  }

  /** Ends Kafka or Redis by SIGKILL; Redis forgets everything. */
  async killService(name: 'kafka' | 'redis'): Promise<void> {
    await call(join(SCRIPTS, name), ['kill', join(this.folder, name)]);
  }

  /** Ends Kafka or Redis in good order. */
  async stopService(name: 'kafka' | 'redis'): Promise<void> {
    await call(join(SCRIPTS, name), ['stop', join(this.folder, name)]);
  }

  /**
   * While Kafka does not run: takes so many of the newest records away from each partition that has any, as a power cut
   * does.
   */
  async cutLog(records: number): Promise<void> {
    const kafka = join(this.folder, 'kafka');
    const folders = (await readdir(join(kafka, 'data'))).filter((name) => name.startsWith('hyperion.rooms-'));
    for (const folder of folders) {
      const path = join(kafka, 'data', folder);
      const segment = (await readdir(path)).filter((name) => name.endsWith('.log')).sort().at(-1) ?? '';
      if ((await stat(join(path, segment))).size === 0) continue;
      await call(join(SCRIPTS, 'kafka'), ['cut', kafka, folder, String(records)]);
    }
  }

  /** Has Nginx read its configuration again. Resolves when new workers answer. */
  async reloadNginx(): Promise<void> {
    await call(join(SCRIPTS, 'nginx'), ['reload', join(this.folder, 'nginx')]);
  }

  /** What a node says of itself, past Nginx; `down` if nothing. */
  async readiness(id: string): Promise<string> {
    const answer = await fetch(new URL('/readyz', this.node(id).url)).catch(() => undefined);
    if (!answer) return 'down';
    return `${answer.status} ${((await answer.json()) as { status: string }).status}`;
  }

  /** One value of a node's metrics. */
  async metric(id: string, name: string): Promise<number> {
    return (await this.#samples(id, name)).reduce((sum, value) => sum + value, 0);
  }

  /** One for each label. */
  async #samples(id: string, name: string): Promise<number[]> {
    const text = await (await fetch(new URL('/metrics', this.node(id).url))).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.map((line) => Number(line.split(' ').at(-1)));
  }

  /** Waits until each node knows each other, and has a link to it. */
  async #acquainted(): Promise<void> {
    const known = async (id: string) => [
      await this.metric(id, 'hyperion_nodes_ready'),
      (await this.#samples(id, 'hyperion_relay_link_round_trip_seconds')).length,
    ];
    const all = this.#nodes.length;
    const knowAll = async () => Promise.all(this.#nodes.map(({ id }) => known(id)));
    await expect.poll(knowAll, { timeout: 30_000 }).toEqual(this.#nodes.map(() => [all, all - 1]));
  }

  /** The node that a newcomer to a room is sent to. */
  async placeOf(room: string): Promise<string> {
    const answer = await fetch(new URL(`/api/v1/rooms/${room}/join`, this.url), { method: 'POST', body: '{}' });
    return ((await answer.json()) as { node: string }).node;
  }

  /** Starts it again at the same address. */
  async startService(name: 'kafka' | 'redis'): Promise<void> {
    await call(join(SCRIPTS, name), ['start', join(this.folder, name)]);
  }

  /** One answer of Redis, such as to `FLUSHALL`. */
  async redis(...words: string[]): Promise<string> {
    const address = await readFile(join(this.folder, 'redis-address'), 'utf8');
    const port = address.trim().split(':').at(-1) ?? '';
    return (await call('redis-cli', ['-h', '127.0.0.1', '-p', port, ...words])).stdout.trim();
  }

  /**
   * A rule of the kernel for what goes from the ports of one node to those of another: media, and the link. For a cluster
   * with a `port`, in a network of its own.
   */
  async filter(what: 'insert' | 'delete', from: string, to: string, ...rule: string[]): Promise<void> {
    const ports = async (id: string) => {
      const first = Number(await readFile(join(this.folder, id, 'media-port'), 'utf8'));
      if (first === 0) throw new Error('the cluster needs a `port`');
      return `${first}:${first + 9}`;
    };
    const match = ['-p', 'udp', '--sport', await ports(from), '--dport', await ports(to)];
    await call('iptables', ['-w', `--${what}`, 'INPUT', ...match, ...rule]);
    this.#filtered = true;
  }

  /** Has all that goes from node to node come so many milliseconds later. As `filter`. */
  async delay(ms: number): Promise<void> {
    const delay = spawn(DELAY, ['0', String(ms)], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(delay.stdout, 'data');
    this.#delay = delay;
    const ids = this.#nodes.map(({ id }) => id);
    for (const from of ids) {
      for (const to of ids.filter((id) => id !== from)) await this.filter('insert', from, to, '-j', 'NFQUEUE');
    }
  }

  /** Starts a node again, so that it goes to Kafka and Redis by ways of its own, which a test can cut. For one node. */
  async leadAside(id: string): Promise<Record<'kafka' | 'redis', Way>> {
    const properties = await readFile(join(this.folder, 'kafka', 'server.properties'), 'utf8');
    const [to, at] = [...properties.matchAll(/PROXIED:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
    const redis = await readFile(join(this.folder, 'redis-address'), 'utf8');
    const ways = {
      kafka: await Way.open(to ?? 0, at),
      redis: await Way.open(Number(redis.trim().split(':').at(-1))),
    };
    for (const [name, way] of Object.entries(ways)) {
      this.#ways.push(way);
      await writeFile(join(this.folder, id, `${name}-address`), way.address);
    }
    await this.stopNode(id);
    await this.start(id);
    await this.#acquainted();
    return ways;
  }

  /** What a node said so far, in all its lives. */
  async log(id: string): Promise<string> {
    return readFile(join(this.folder, id, 'log'), 'utf8');
  }

  /** Nginx's access log: one object per request. */
  async accessLog(): Promise<Record<string, unknown>[]> {
    const text = await readFile(join(this.folder, 'nginx', 'access.log'), 'utf8');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Ends everything, and checks that no node ever panicked. */
  async stop(): Promise<void> {
    // What a test that failed left behind.
    if (this.#filtered) await call('iptables', ['-w', '--flush', 'INPUT']);
    await call(join(SCRIPTS, 'cluster'), ['stop', this.folder]);
    const logs = await Promise.all(this.#nodes.map(async ({ id }) => `${id}:\n${await this.log(id)}`));
    for (const way of this.#ways) way.close();
    this.#delay?.stdin?.end();
    const exited = once(this.script, 'exit');
    this.script.stdin?.end();
    await exited;
    const panicked = logs.filter((log) => log.includes('panicked'));
    if (panicked.length > 0) throw new Error(panicked.join('\n'));
  }

  async #cluster(what: string, id: string): Promise<void> {
    await call(join(SCRIPTS, 'cluster'), [what, id.replace(/^node-/, ''), this.folder]);
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    // Its exit code says whether all of it runs, which tests do not want to be told.
    const status = await call(join(SCRIPTS, 'cluster'), ['status', this.folder]).catch(
      (error: { stdout: string }) => error,
    );
    this.#nodes = [...status.stdout.matchAll(/^(node-\d+) +(\S+) +(\d+|-) /gm)].map(([, id = '', url = '', pid]) => ({
      id,
      url,
      pid: pid === '-' ? undefined : Number(pid),
    }));
  }

  #running(id: string): number {
    const { pid } = this.node(id);
    if (pid === undefined) throw new Error(`${id} does not run`);
    return pid;
  }
}
