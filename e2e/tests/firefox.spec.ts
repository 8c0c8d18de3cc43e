import { bothWays, CODECS, flows } from '../support/codecs.js';
import { Firefox } from '../support/firefox.js';
import { ANNA, BEN, meet, Person } from '../support/person.js';
import { test as base } from '../support/test.js';

const test = base.extend<object, { firefox: Firefox }>({
  firefox: [
    async ({}, use) => {
      const firefox = await Firefox.start();
      await use(firefox);
      await firefox.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
});

test.skip(!Firefox.isInstalled, 'needs the packages firefox-esr and pulseaudio');

for (const codec of CODECS) {
  test(`Chromium and Firefox see and hear each other by ${codec}`, async ({ room, firefox }) => {
    const ben = await Person.join(firefox.browser, room.url, BEN, { videoCodec: codec });
    const anna = await room.join(ANNA, { videoCodec: codec });
    const haveIt = await Promise.all([anna, ben].map(({ page }) => bothWays(page, codec)));
    test.skip(haveIt.includes(false), `Chromium: ${haveIt[0]}, Firefox: ${haveIt[1]}`);
    await meet(anna, ben);
    for (const person of [anna, ben]) await flows(person, codec);
    await ben.context.close();
  });
}
