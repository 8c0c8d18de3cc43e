import { Cluster } from '../support/cluster.js';
import { Crowd } from '../support/crowd.js';
import { watchWork } from '../support/page-work.js';
import { ANNA, Person } from '../support/person.js';
import { expect, report, test } from '../support/test.js';

/** How many synthetic people the page shows; 28 in docs/reports. */
const CROWD = Number(process.env.MOVE_CROWD ?? 9);
/** It is asked within a second, and done three later; the test waits for it. */
const MOVE_MS = 6_000;

test('a page that goes to another node shows and plays everybody all the time, and negotiates nothing on what it leaves', async ({
  browser,
}) => {
  test.setTimeout(180_000);
  const cluster = await Cluster.start({ flags: [`--limits-participants-per-room-and-node=${Math.ceil(CROWD / 2)}`] });
  try {
    const crowd = await Crowd.joinAsTiles(cluster.url, 'team', CROWD);
    const url = new URL('/r/team', cluster.url);
    const anna = await Person.open(browser, url.href, ANNA);
    const { page } = anna;
    let node = '';
    page.on('response', async (response) => {
      if (!response.ok() || !/\/(join|resume)$/.test(new URL(response.url()).pathname)) return;
      node = ((await response.json()) as { node: string }).node;
    });
    await anna.enter();
    const pictures = page.locator('[data-testid="tile"]:not(:has(.avatar))');
    await expect(pictures).toHaveCount(CROWD + 1);
    const standstill = await anna.standstill();
    const before = await watchWork(anna);
    await page.waitForTimeout(MOVE_MS);
    const { mainThread: usual } = await before();
    const work = await watchWork(anna);
    const left = node;
    const stopped = cluster.stopNode(left);
    await page.waitForTimeout(MOVE_MS);
    expect(node).not.toBe(left);
    const { negotiations, longestTask, mainThread, emptyTiles, silentTiles } = await work();
    report(
      `move: ${mainThread - usual} ms of the page's main thread more than the ${usual} ms before, the longest task ${Math.round(longestTask)} ms`,
    );
    report(`move: ${Math.round(await standstill())} ms that a picture stood still at most`);
    const { former, next } = negotiations;
    report(`move: ${former} negotiations on the connections of before, ${next} on those of the new node`);
    report(`move: ${emptyTiles} empty tiles, ${silentTiles} silent ones`);
    expect(emptyTiles, 'tiles that lost their picture').toBe(0);
    expect(silentTiles, 'tiles that lost their sound').toBe(0);
    expect(former, 'negotiations of what is given up').toBe(0);
    await expect(pictures).toHaveCount(CROWD + 1);
    await stopped;
    await anna.context.close();
    await crowd.leave();
  } finally {
    await cluster.stop();
  }
});
