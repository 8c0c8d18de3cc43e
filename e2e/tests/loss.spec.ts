import { losing } from '../support/link.js';
import { ANNA, BEN, type Person } from '../support/person.js';
import { riseOver, streamOf } from '../support/stats.js';
import { expect, report, test } from '../support/test.js';

const SECONDS = 10;
const LOSS = 0.1;

test('10 % loss each way: retransmissions repair video, in-band FEC repairs audio', async ({ room }) => {
  test.setTimeout(210_000);
  const link = await room.link();
  link.shape = losing(LOSS);
  // Opus protects what it takes for speech, and nothing else.
  const anna = await room.join({ ...ANNA, tone: 200, speaking: true }, { link });
  const ben = await room.join({ ...BEN, tone: 120, speaking: true });
  await anna.sees(BEN);
  await ben.sees(ANNA);
  await Promise.all([anna, ben].map(getsFec));
  await Promise.all([isRepaired(anna, ben), isRepaired(ben, anna)]);

  // Each end of the link had packets repeated: the publisher by request of the server, the receiver by its own.
  const up = await streamOf(anna.page, 'outbound-rtp', 'video', 'retransmittedPacketsSent');
  const down = await streamOf(anna.page, 'inbound-rtp', 'video', 'retransmittedPacketsReceived');
  expect(up.retransmittedPacketsSent).toBeGreaterThan(10);
  expect(down.retransmittedPacketsReceived).toBeGreaterThan(10);
});

/** The publisher's encoder sends FEC once it has heard of enough loss for long enough: 20 to 70 s were seen. */
async function getsFec({ page, look }: Person): Promise<void> {
  const fec = async () => (await streamOf(page, 'inbound-rtp', 'audio', 'fecPacketsReceived')).fecPacketsReceived;
  await expect.poll(fec, { timeout: 120_000, message: `${look.name} gets FEC` }).toBeGreaterThan(100);
}

async function isRepaired(from: Person, to: Person): Promise<void> {
  const [sentVideo, video, sentAudio, audio] = await Promise.all([
    riseOver(SECONDS, () => streamOf(from.page, 'outbound-rtp', 'video', 'framesSent')),
    riseOver(SECONDS, () => streamOf(to.page, 'inbound-rtp', 'video', 'framesDecoded')),
    riseOver(SECONDS, () => streamOf(from.page, 'outbound-rtp', 'audio', 'packetsSent')),
    riseOver(SECONDS, () =>
      streamOf(
        to.page,
        'inbound-rtp',
        'audio',
        'packetsReceived',
        'concealedSamples',
        'silentConcealedSamples',
        'totalSamplesReceived',
      ),
    ),
  ]);
  // The two ends are asked at different moments: what they say is compared per second.
  const share = (received: number, over: number, sent: number, sentOver: number) => received / over / (sent / sentOver);
  const decoded = share(video.framesDecoded, video.timestamp, sentVideo.framesSent, sentVideo.timestamp);
  const lost = 1 - share(audio.packetsReceived, audio.timestamp, sentAudio.packetsSent, sentAudio.timestamp);
  const concealed = (audio.concealedSamples - audio.silentConcealedSamples) / audio.totalSamplesReceived;
  report(
    `${from.look.name} to ${to.look.name}: ${percent(decoded)} of the video frames arrived; ` +
      `${percent(lost)} of the audio packets were lost and ${percent(concealed)} of the sound was concealed`,
  );
  expect(lost, 'the link loses').toBeGreaterThan(LOSS / 2);
  expect(decoded).toBeGreaterThanOrEqual(0.9);
  expect(concealed).toBeLessThan(0.08);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
