import { type Browser, test as base } from '@playwright/test';
import { Crowd } from './crowd.js';
import { Link } from './link.js';
import { type Look, Person, type PersonOptions } from './person.js';
import { Server } from './server.js';

/** A test's own room, and the people whom the test lets in. */
export class Room {
  readonly #people: Person[] = [];
  readonly #links: Link[] = [];
  readonly #crowds: Crowd[] = [];

  constructor(
    private readonly browser: Browser,
    readonly server: Server,
    readonly name: string,
  ) {}

  get url(): string {
    return new URL(`/r/${this.name}`, this.server.url).href;
  }

  /** Somebody in front of the room: in the green room. */
  async open(look: Look, options?: PersonOptions): Promise<Person> {
    const person = await Person.open(this.browser, this.url, look, options);
    this.#people.push(person);
    return person;
  }

  /** Somebody in the room. */
  async join(look: Look, options?: PersonOptions): Promise<Person> {
    const person = await this.open(look, options);
    await person.enter();
    return person;
  }

  /** So many synthetic people more in the room. */
  async joinCrowd(people: number): Promise<Crowd> {
    const crowd = await Crowd.join(this.server.url, this.name, people);
    this.#crowds.push(crowd);
    return crowd;
  }

  /** A way to the server for one person, that the test can make bad. */
  async link(): Promise<Link> {
    const link = await Link.open();
    this.#links.push(link);
    return link;
  }

  async close(): Promise<void> {
    await Promise.all(this.#crowds.map((crowd) => crowd.leave()));
    await Promise.all(this.#people.map(({ context }) => context.close()));
    await Promise.all(this.#links.map((link) => link.close()));
  }
}

/** `test` with a server for the whole file, and a room for each test. */
export const test = base.extend<{ room: Room }, { server: Server }>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker' },
  ],
  room: async ({ browser, server }, use, { testId }) => {
    const room = new Room(browser, server, testId);
    await use(room);
    await room.close();
  },
});

/** Puts what a test measured into its output. */
export function report(measured: string): void {
  test.info().annotations.push({ type: 'measured', description: measured });
  console.log(`    ${measured}`);
}

export { expect } from '@playwright/test';
