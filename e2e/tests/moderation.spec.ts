import { ANNA, BEN, CARA, type Look, type Person } from '../support/person.js';
import { expect, type Room, test } from '../support/test.js';

const SCREEN = { colour: [200, 60, 160] as [number, number, number], width: 640, height: 360 };

/** What a page's client does beside what the page lets one do: a modified client. */
interface Client {
  unmute(source: string): void;
  publish(source: string, track: MediaStreamTrack): void;
  moderate(action: object): Promise<void>;
}

test('hands are raised in one order for all, and lowered by who raised them or by a host', async ({ room }) => {
  const [anna, ben, cara] = await three(room);
  await ben.page.getByTestId('toggle-hand').click();
  await expect(anna.tile(BEN)).toHaveAttribute('data-hand', 'true');
  await cara.page.getByTestId('toggle-hand').click();
  await anna.page.getByTestId('toggle-hand').click();
  await expect(anna.page.getByText('Ben raised their hand')).toBeVisible();
  for (const { page } of [anna, ben, cara]) {
    await expect(page.getByTestId('hand-count')).toHaveText('3');
    await page.getByTestId('toggle-people').click();
    await expect(page.getByTestId('hands').getByTestId('person')).toHaveCount(3);
    const names = page.getByTestId('hands').getByTestId('person');
    expect(await names.evaluateAll((people) => people.map((one) => (one as HTMLElement).dataset.name))).toEqual([
      'Ben',
      'Cara',
      'Anna',
    ]);
  }
  await expect(ben.page.getByTestId('lower-all')).toHaveCount(0);
  await ben.page.getByTestId('toggle-hand').click();
  await expect(anna.page.getByTestId('hands').getByTestId('person')).toHaveCount(2);
  await act(anna, CARA, 'lower-hand');
  await expect(cara.page.getByText('Anna lowered your hand')).toBeVisible();
  await expect(cara.page.getByTestId('toggle-hand')).toHaveAttribute('aria-pressed', 'false');
  await anna.page.getByTestId('lower-all').click();
  await expect(anna.page.getByTestId('hands')).toHaveCount(0);
});

test('who is muted by a host is silent at once, may speak again, and not where the hosts forbid it', async ({ room }) => {
  const [anna, ben, cara] = await three(room);
  await anna.page.getByTestId('toggle-people').click();
  await act(anna, BEN, 'mute');
  await expect(ben.page.getByText('Anna muted you')).toBeVisible();
  await expect(cara.page.getByText('Anna muted Ben')).toBeVisible();
  await cara.hearsNothingOf(BEN);
  await expect(ben.page.getByTestId('toggle-mic')).toHaveAttribute('data-on', 'false');
  await ben.page.getByTestId('toggle-mic').click();
  await cara.hears(BEN);

  await anna.page.getByText('Unmute themselves').click();
  await expect(ben.page.getByTestId('toggle-mic')).toHaveAttribute('data-on', 'false');
  await cara.hearsNothingOf(BEN);
  await ben.page.getByTestId('toggle-mic').click();
  await expect(ben.page.getByText('The hosts do not let you turn on your microphone.')).toBeVisible();

  // A client that does not care sends all the same.
  await ben.page.evaluate(() => {
    const { hyperion, peerConnections } = globalThis as unknown as {
      hyperion: Client;
      peerConnections: RTCPeerConnection[];
    };
    hyperion.unmute('mic');
    setInterval(() => {
      for (const sender of peerConnections.flatMap((connection) => connection.getSenders())) {
        if (sender.track?.kind === 'audio') sender.track.enabled = true;
      }
    }, 20);
  });
  const sent = () => bytesSent(ben);
  const before = await sent();
  await expect.poll(sent, { message: 'Ben sends' }).toBeGreaterThan(before + 2_000);
  await cara.hearsNothingOf(BEN);
  await anna.hearsNothingOf(BEN);

  await anna.page.getByText('Unmute themselves').click();
  await act(anna, BEN, 'ask-unmute');
  await expect(ben.page.getByTestId('asked')).toContainText('Anna asks you to turn on your microphone.');
  await ben.page.getByTestId('asked-yes').click();
  await cara.hears(BEN);
  await anna.page.getByTestId('mute-all').click();
  await cara.hearsNothingOf(BEN);
  await ben.hears(ANNA);
});

test('a host stops a camera and a screen, and lets somebody only watch', async ({ room }) => {
  const anna = await room.join(ANNA);
  const ben = await room.join(BEN, { screen: SCREEN });
  await anna.sees(BEN);
  await ben.page.getByTestId('toggle-screen').click();
  await anna.seesScreen(BEN, SCREEN);
  await anna.page.getByTestId('toggle-people').click();
  await act(anna, BEN, 'stop-screen');
  await expect(anna.screenTile(BEN)).toHaveCount(0);
  await expect(ben.page.getByTestId('sharing-bar')).toHaveCount(0);
  await act(anna, BEN, 'stop-video');
  await expect(anna.tile(BEN).locator('video')).toHaveCount(0);
  await expect(ben.page.getByTestId('toggle-camera')).toHaveAttribute('data-on', 'false');
  await ben.page.getByTestId('toggle-camera').click();
  await anna.sees(BEN);

  await act(anna, BEN, 'role-viewer');
  await expect(ben.page.getByText('You are only watching now')).toBeVisible();
  await expect(anna.tile(BEN).locator('video')).toHaveCount(0);
  await anna.hearsNothingOf(BEN);
  // A client that does not care.
  await ben.page.evaluate(() => {
    const { hyperion } = globalThis as unknown as { hyperion: Client };
    const canvas = document.createElement('canvas');
    canvas.getContext('2d')?.fillRect(0, 0, 9, 9);
    const [track] = canvas.captureStream(5).getVideoTracks();
    if (track) hyperion.publish('camera', track);
  });
  await anna.page.waitForTimeout(3_000);
  await expect(anna.tile(BEN).locator('video')).toHaveCount(0);
  expect(await refusal(ben, { action: 'setRole', participantId: await idOf(ben, BEN), role: 'host' })).toBe('forbidden');
  await ben.sees(ANNA);

  await act(anna, BEN, 'role-participant');
  await ben.page.getByTestId('toggle-camera').click();
  await anna.sees(BEN);
});

test('who is removed is out, a locked meeting takes nobody new, and its end is the end for all', async ({ room }) => {
  const [anna, ben, cara] = await three(room);
  await anna.page.getByTestId('toggle-people').click();
  await anna.page.getByText('Lock the meeting').click();
  await act(anna, CARA, 'remove');
  await anna.page.getByTestId('confirm').click();
  await expect(cara.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'removed');
  await expect(ben.page.getByText('Anna removed Cara')).toBeVisible();
  await expect(anna.tile(CARA)).toHaveCount(0);
  await cara.page.getByTestId('rejoin').click();
  await expect(cara.page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'room_locked');
  // Whoever was in comes back.
  await ben.page.reload();
  await anna.sees(BEN);
  await anna.page.getByText('Lock the meeting').click();
  await cara.page.getByTestId('rejoin').click();
  await anna.sees(CARA);

  await anna.page.getByTestId('end-meeting').click();
  await anna.page.getByTestId('confirm').click();
  for (const { page } of [anna, ben, cara]) {
    await expect(page.getByTestId('ended-page')).toHaveAttribute('data-reason', 'meeting_ended');
  }
});

test('a meeting is handed over, and has a host when its host left', async ({ room }) => {
  const [anna, ben, cara] = await three(room);
  await expect(ben.page.getByTestId('host-tools')).toHaveCount(0);
  await ben.page.getByTestId('toggle-people').click();
  await anna.page.getByTestId('toggle-people').click();
  await act(anna, BEN, 'role-host');
  await expect(ben.page.getByText('You are the host now')).toBeVisible();
  await expect(ben.page.getByTestId('end-meeting')).toBeVisible();
  await expect(anna.page.getByTestId('end-meeting'), 'a co-host').toHaveCount(0);
  await expect(anna.page.getByTestId('host-tools')).toBeVisible();
  await ben.leave();
  await expect(anna.page.getByTestId('end-meeting')).toBeVisible();
  await anna.leave();
  await expect(cara.page.getByText('You are the host now')).toBeVisible();
});

async function three(room: Room): Promise<[Person, Person, Person]> {
  const [anna, ben, cara] = [await room.join(ANNA), await room.join(BEN), await room.join(CARA)];
  await Promise.all([cara.hears(BEN), anna.sees(CARA)]);
  return [anna, ben, cara];
}

/** Does something to somebody by their menu in the list of people. */
async function act({ page }: Person, { name }: Look, what: string): Promise<void> {
  const person = page.getByTestId('people-list').locator(`[data-testid="person"][data-name="${name}"]`);
  await person.getByTestId('person-menu').click();
  await page.getByTestId(what).click();
}

async function idOf(person: Person, look: Look): Promise<string | null> {
  return person.tile(look).getAttribute('data-participant-id');
}

/** The code with which the server refuses what a client asks. */
async function refusal({ page }: Person, action: object): Promise<string | undefined> {
  return page.evaluate(
    (asked) =>
      (globalThis as unknown as { hyperion: Client }).hyperion.moderate(asked).then(
        () => undefined,
        (failure: { code: string }) => failure.code,
      ),
    action,
  );
}

async function bytesSent({ page }: Person): Promise<number> {
  return page.evaluate(async () => {
    const { peerConnections } = globalThis as unknown as { peerConnections: RTCPeerConnection[] };
    let bytes = 0;
    for (const connection of peerConnections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type === 'outbound-rtp' && report.kind === 'audio') bytes += report.bytesSent;
      }
    }
    return bytes;
  });
}
