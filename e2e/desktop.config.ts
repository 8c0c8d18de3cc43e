import { defineConfig } from '@playwright/test';
import config from './playwright.config.js';

/** What drives the desktop client in real windows, by script/desktop-test. */
export default defineConfig({ ...config, testDir: 'desktop' });
