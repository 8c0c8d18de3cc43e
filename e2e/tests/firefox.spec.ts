import { firefox } from '@playwright/test';
import { ANNA, BEN, Person } from '../support/person.js';
import { statsOf } from '../support/stats.js';
import { test } from '../support/test.js';

test('firefox', async ({ room }) => {
  const t0 = Date.now();
  const browser = await firefox.launch({
    channel: 'moz-firefox',
    executablePath: '/usr/bin/firefox-esr',
    firefoxUserPrefs: {
      'media.autoplay.default': 0,
      'media.peerconnection.ice.loopback': true,
    },
  });
  console.log('launched', Date.now() - t0);
  const anna = await room.join(ANNA);
  const ben = await Person.join(browser, room.url, BEN);
  console.log('joined', Date.now() - t0);
  await anna.sees(BEN);
  await anna.hears(BEN);
  console.log('anna sees', Date.now() - t0);
  for (let i = 0; i < 3; i++) {
  await ben.page.waitForTimeout(1000);
  console.log(await ben.tile(ANNA).locator('video').evaluate(async (e) => {
    const v = e as HTMLVideoElement & { mozPaintedFrames: number };
    const p = await Promise.race([new Promise((r) => v.requestVideoFrameCallback?.((_, m) => r(m.presentedFrames))), new Promise((r) => setTimeout(r, 1000, 'none'))]);
    return [v.getVideoPlaybackQuality().totalVideoFrames, v.mozPaintedFrames, p, v.currentTime, v.videoWidth];
  }));
  }
  console.log('tone', await ben.loudest(ANNA));
  const stats = [...(await statsOf(ben.page, 'recvTransport')), ...(await statsOf(ben.page, 'sendTransport'))];
  console.log(JSON.stringify(stats.filter((s) => s.type.endsWith('bound-rtp') || s.type === 'codec'), null, 1));
  console.log(await ben.page.evaluate(() => RTCRtpSender.getCapabilities('video')?.codecs.map((c) => c.mimeType)));
  await ben.page.screenshot({ path: '/tmp/nets/firefox.png' });
  await browser.close();
});
