import { test as base } from '../support/test.js';
import { Client, type ClientOptions } from './client.js';

/** `test` with a way to start clients, which end with the test. */
export const test = base.extend<{ start: (options?: ClientOptions) => Promise<Client> }>({
  start: async ({}, use) => {
    const clients: Client[] = [];
    await use(async (options) => {
      const client = await Client.start(options);
      clients.push(client);
      return client;
    });
    await Promise.all(clients.map((client) => client.remove()));
  },
});

export { expect } from '../support/test.js';
