import { test as base } from '../support/test.js';
import { Client, type ClientOptions } from './client.js';
import { Site } from './site.js';

interface Starts {
  /** Starts a client, which ends with the test. */
  start: (options?: ClientOptions) => Promise<Client>;
  /** Opens a web server, which ends with the test. */
  openSite: (pages?: Record<string, string>) => Promise<Site>;
}

export const test = base.extend<Starts>({
  start: async ({}, use) => {
    const clients: Client[] = [];
    await use(async (options) => {
      const client = await Client.start(options);
      clients.push(client);
      return client;
    });
    await Promise.all(clients.map((client) => client.remove()));
  },
  openSite: async ({}, use) => {
    const sites: Site[] = [];
    await use(async (pages) => {
      const site = await Site.open(pages);
      sites.push(site);
      return site;
    });
    await Promise.all(sites.map((site) => site.close()));
  },
});

export { expect } from '../support/test.js';
