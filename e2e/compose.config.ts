import { defineConfig } from '@playwright/test';
import config from './playwright.config.js';

const { launchOptions } = config.use ?? {};

/** What runs against the stack of deploy/compose.yaml, by script/compose-test. */
export default defineConfig({
  ...config,
  testDir: 'compose',
  use: {
    ...config.use,
    // The certificate that was made at the first start.
    launchOptions: { ...launchOptions, args: [...(launchOptions?.args ?? []), '--ignore-certificate-errors'] },
  },
});
