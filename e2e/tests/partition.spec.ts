import { Cluster } from '../support/cluster.js';
import { ANNA, BEN, CARA, DAVID, joinAll, meet, meetAll, Person } from '../support/person.js';
import { expect, report, test } from '../support/test.js';

/** For how long a part is cut off: some seconds here, 30 s in `script/chaos`. */
const PARTITION_MS = Number(process.env.CHAOS_PARTITION_SECONDS ?? 15) * 1000;
/** What only `script/chaos` does, in a network of its own. */
const OWN_NETWORK = process.env.CHAOS_NETWORK !== undefined;
const DELAY_MS = 100;

// What `script/chaos` makes a table of: "ROW: N ms WHAT".
for (const [row, services] of [
  ['kafka', ['kafka']],
  ['both', ['kafka', 'redis']],
] as const) {
  test(`chaos partition: a node without ${services.join(' and ')} hands its people over and is as before when it is back`, async ({
    browser,
  }) => {
    test.skip(
      row === 'both' && !process.env.CHAOS_PARTITION_SECONDS,
      'takes longer than a node takes to be declared lost',
    );
    test.setTimeout(240_000);
    const cluster = await Cluster.start({ flags: ['--limits-participants-per-room-and-node=2'] });
    try {
      const node = await cluster.placeOf('team');
      const ways = await cluster.leadAside(node);
      const people = await joinAll(browser, new URL('/r/team', cluster.url).href, [ANNA, BEN, CARA]);
      const [anna, ben, cara] = people;
      const sockets = () => cluster.metric(node, 'hyperion_session_sockets');
      expect(await sockets(), 'two on the node, and one beside it').toBe(2);
      const departures = await Promise.all(people.map((person) => person.departures()));
      const standstills = await Promise.all(people.map((person) => person.standstill()));

      const began = Date.now();
      for (const service of services) ways[service].cut();
      await expect.poll(sockets, { timeout: 30_000, intervals: [50] }).toBe(0);
      report(`partition ${row}: ${Date.now() - began} ms until nobody was on the node any more, from the cut`);
      expect(await cluster.placeOf('team'), 'for newcomers').not.toBe(node);
      await meetAll(people);
      const standstill = Math.max(...(await Promise.all(standstills.map((read) => read()))));
      report(`partition ${row}: ${Math.round(standstill)} ms that a picture stood still at most`);
      // All of it goes on elsewhere.
      await anna.write('during');
      await ben.page.getByTestId('toggle-mic').click();
      for (const person of people) {
        await person.openChat();
        await expect(person.messages).toHaveText(['during']);
      }
      await expect(cara.tile(BEN)).toHaveAttribute('data-muted', 'true');
      expect(await cluster.readiness(node)).toBe('200 degraded');
      await anna.page.waitForTimeout(Math.max(0, PARTITION_MS - (Date.now() - began)));
      const lost = () => hostsLost(cluster, node);
      if (row === 'kafka') expect(await lost(), 'nobody is declared lost').toBe(0);
      else await expect.poll(lost).toBeGreaterThan(0);

      for (const service of services) ways[service].mend();
      const mended = Date.now();
      const metrics = ['cut_off', 'sessions', 'session_transports', 'nodes_ready'];
      const state = () =>
        Promise.all([
          cluster.readiness(node),
          ...metrics.map((name) => cluster.metric(node, `hyperion_${name}`)),
          // It may start anew meanwhile.
        ]).catch(() => []);
      await expect.poll(state, { timeout: 30_000, intervals: [100] }).toEqual(['200 ready', 0, 0, 0, 3]);
      report(`partition ${row}: ${Date.now() - mended} ms until the node was as before, from its end`);
      // What it had under way when it was cut off changes nothing.
      await ben.page.getByTestId('toggle-mic').click();
      await anna.write('after');
      for (const person of people) await expect(person.messages).toHaveText(['during', 'after']);
      await meet(anna, ben);
      await meet(ben, cara);
      for (const person of people) await expect(person.page.getByTestId('tile')).toHaveCount(3);
      for (const seen of departures) expect(await seen()).toEqual([]);
      const diverged = cluster.nodes.map(({ id }) => cluster.metric(id, 'hyperion_rooms_diverged_total'));
      expect(await Promise.all(diverged), 'one truth').toEqual([0, 0, 0]);
      for (const { context } of people) await context.close();
    } finally {
      await cluster.stop();
    }
  });
}

test('chaos partition: two nodes without each other stay, and their people see what stalls', async ({ browser }) => {
  test.skip(!OWN_NETWORK, 'changes the rules of its network: only in one of its own, by script/chaos');
  test.setTimeout(240_000);
  const cluster = await Cluster.start({ flags: ['--limits-participants-per-room-and-node=1'], port: 4500 });
  try {
    const room = new URL('/r/team', cluster.url).href;
    const anna = await Person.join(browser, room, ANNA);
    const [one = ''] = await taken(cluster);
    const ben = await Person.join(browser, room, BEN);
    const other = (await taken(cluster)).find((id) => id !== one) ?? '';
    const cara = await Person.join(browser, room, CARA);
    const people = [anna, ben, cara];
    await meetAll(people);
    const departures = await Promise.all(people.map((person) => person.departures()));
    const between = async (what: 'insert' | 'delete') => {
      await cluster.filter(what, one, other, '-j', 'DROP');
      await cluster.filter(what, other, one, '-j', 'DROP');
    };
    const standstill = await cara.standstill([ANNA, BEN]);
    const began = Date.now();
    await between('insert');
    await expect(anna.tile(BEN)).toHaveAttribute('data-network', 'stalled');
    await expect(anna.tile(BEN).getByText('connection lost')).toBeVisible();
    report(`partition nodes: ${Date.now() - began} ms until a tile said that its picture stands still`);
    await expect(ben.tile(ANNA)).toHaveAttribute('data-network', 'stalled');
    await anna.page.screenshot({ path: test.info().outputPath('stalled.png') });
    await anna.write('during');
    await ben.openChat();
    await expect(ben.messages).toHaveText(['during']);
    await ben.page.getByTestId('toggle-mic').click();
    await expect(anna.tile(BEN)).toHaveAttribute('data-muted', 'true');
    await ben.page.getByTestId('toggle-mic').click();
    const david = await Person.join(browser, room, DAVID);
    for (const person of people) await expect(person.page.getByTestId('tile')).toHaveCount(4);
    await meet(anna, cara);
    await david.leave();
    for (const person of people) await expect(person.page.getByTestId('tile')).toHaveCount(3);
    await anna.page.waitForTimeout(Math.max(0, PARTITION_MS - (Date.now() - began)));
    await expect(anna.tile(BEN), 'as long as it lasts').toHaveAttribute('data-network', 'stalled');
    report(`partition nodes: ${Math.round(await standstill())} ms that a picture stood still where no way was cut`);

    const frames = await Promise.all([anna.frames(BEN), ben.frames(ANNA)]);
    await between('delete');
    const mended = Date.now();
    const runs = async () => {
      const now = await Promise.all([anna.frames(BEN), ben.frames(ANNA)]);
      return now.every((count, side) => count > (frames[side] ?? 0) + 2);
    };
    await expect.poll(runs, { timeout: 30_000, intervals: [50] }).toBe(true);
    report(`partition nodes: ${Date.now() - mended} ms until both sides saw each other again, from its end`);
    await expect(anna.tile(BEN)).toHaveAttribute('data-network', 'good');
    await meet(anna, ben);
    const gone = (await Promise.all(departures.map((seen) => seen()))).flat().filter((seen) => !seen.includes('David'));
    expect(gone).toEqual([]);
    expect(await hostsLost(cluster), 'nobody is declared lost').toBe(0);
    for (const { context } of people) await context.close();
  } finally {
    await cluster.stop();
  }
});

test('chaos partition: nodes that are 100 ms from each other', async ({ browser }) => {
  test.skip(!OWN_NETWORK, 'changes the rules of its network: only in one of its own, by script/chaos');
  test.setTimeout(240_000);
  const cluster = await Cluster.start({ flags: ['--limits-participants-per-room-and-node=1'], port: 4500 });
  try {
    await cluster.delay(DELAY_MS);
    const people = await joinAll(browser, new URL('/r/team', cluster.url).href, [ANNA, BEN, CARA]);
    const [anna, ben] = people;
    const departures = await Promise.all(people.map((person) => person.departures()));
    const round = cluster.nodes.map(({ id }) => cluster.metric(id, 'hyperion_relay_link_round_trip_seconds'));
    // Each has a link to two others.
    for (const seconds of await Promise.all(round)) expect(seconds / 2).toBeGreaterThan(1.5 * (DELAY_MS / 1000));
    const standstills = await Promise.all(people.map((person) => person.standstill()));
    await anna.page.waitForTimeout(10_000);
    const standstill = Math.max(...(await Promise.all(standstills.map((read) => read()))));
    report(`partition delay: ${Math.round(standstill)} ms that a picture stood still at most`);
    for (const person of people) {
      for (const { look } of people) await expect(person.tile(look)).toHaveAttribute('data-network', 'good');
    }
    const began = Date.now();
    await ben.page.reload();
    await expect(ben.page.getByTestId('leave')).toBeVisible();
    await anna.sees(BEN);
    await ben.sees(ANNA);
    report(`partition delay: ${Date.now() - began} ms until who reloaded was seen and saw`);
    for (const seen of departures.slice(0, 1)) expect(await seen()).toEqual([]);
    expect(await hostsLost(cluster), 'nobody is declared lost').toBe(0);
    for (const { context } of people) await context.close();
  } finally {
    await cluster.stop();
  }
});

/** The nodes that somebody is on. */
async function taken(cluster: Cluster): Promise<string[]> {
  const ids = cluster.nodes.map(({ id }) => id);
  const sockets = await Promise.all(ids.map((id) => cluster.metric(id, 'hyperion_session_sockets')));
  return ids.filter((_, index) => (sockets[index] ?? 0) > 0);
}

/** Nodes that were declared lost, as those others than `but` read it. */
async function hostsLost(cluster: Cluster, but?: string): Promise<number> {
  const nodes = cluster.nodes.filter(({ id }) => id !== but);
  const lost = await Promise.all(nodes.map(({ id }) => cluster.metric(id, 'hyperion_room_hosts_lost_total')));
  return Math.max(...lost);
}
