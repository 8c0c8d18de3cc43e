import { expect, type Page } from '@playwright/test';

/** One entry of `RTCPeerConnection.getStats()`. */
export interface Stat extends Record<string, unknown> {
  type: string;
  kind?: 'audio' | 'video';
}

/** Carries nothing but the padding of bandwidth probes. */
const PROBATOR_SSRC = 1234;

interface Transports {
  sendTransport?: { getStats(): Promise<RTCStatsReport> };
  recvTransport?: { getStats(): Promise<RTCStatsReport> };
}

/** What the browser counts on one of the page's transports. */
export async function statsOf(page: Page, transport: 'sendTransport' | 'recvTransport'): Promise<Stat[]> {
  return page.evaluate(async (name) => {
    const { hyperion } = globalThis as unknown as { hyperion?: Transports };
    const report = await hyperion?.[name]?.getStats();
    return [...(report?.values() ?? [])] as Stat[];
  }, transport);
}

/** The server's end of the path that a transport uses, as `udp 192.0.2.1`. */
export async function pathOf(page: Page, transport: 'sendTransport' | 'recvTransport'): Promise<string> {
  const stats = await statsOf(page, transport);
  const find = (id: unknown) => stats.find((stat) => stat.id === id);
  const pair = find(stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
  const remote = find(pair?.remoteCandidateId);
  return `${remote?.protocol} ${remote?.address}`;
}

/** Numbers of the one stream of this kind on the transport. */
export async function streamOf<Name extends string>(
  page: Page,
  type: 'outbound-rtp' | 'inbound-rtp',
  kind: 'audio' | 'video',
  ...names: Name[]
): Promise<Record<Name | 'timestamp', number>> {
  const stats = await statsOf(page, type === 'outbound-rtp' ? 'sendTransport' : 'recvTransport');
  const streams = stats.filter((stat) => stat.type === type && stat.kind === kind && stat.ssrc !== PROBATOR_SSRC);
  expect(streams, `${kind} ${type}`).toHaveLength(1);
  const entries = [...names, 'timestamp'].map((name) => [name, Number(streams[0]?.[name] ?? Number.NaN)]);
  return Object.fromEntries(entries) as Record<Name | 'timestamp', number>;
}

/** How much each number rises while at least `seconds` pass by the clock of what is sampled, in ms. */
export async function riseOver<Name extends string>(
  seconds: number,
  sample: () => Promise<Record<Name | 'timestamp', number>>,
): Promise<Record<Name | 'timestamp', number>> {
  const first = await sample();
  let last = first;
  await expect
    .poll(
      async () => {
        last = await sample();
        return last.timestamp - first.timestamp;
      },
      { timeout: seconds * 1000 + 15_000, intervals: [250] },
    )
    .toBeGreaterThanOrEqual(seconds * 1000);
  const names = Object.keys(first) as (Name | 'timestamp')[];
  return Object.fromEntries(names.map((name) => [name, last[name] - first[name]])) as typeof first;
}
