/** How one stream comes or goes, over the time between two looks. */
export interface StreamQuality {
  /** In bit/s. */
  bitrate: number | undefined;
  /** The share of its packets that were lost on the way, from 0 to 1. */
  loss: number | undefined;
  /** In milliseconds. */
  roundTripMs: number | undefined;
  /** As `VP8`. */
  codec: string | undefined;
  /** Of a picture, in pixels; the largest of those that are sent. */
  width: number | undefined;
  height: number | undefined;
  framesPerSecond: number | undefined;
  /** How many sizes of it are sent now; 1 of what is received. */
  layers: number;
}

/** All fields of all kinds of reports that are read here. */
type Report = Partial<
  RTCInboundRtpStreamStats & RTCOutboundRtpStreamStats & RTCIceCandidatePairStats & { mimeType: string }
> & { id: string; type: string; roundTripTime?: number; fractionLost?: number };

interface Counters {
  atMs: number;
  bytes: number;
  packets: number;
  lost: number;
}

/** Reads what the browser says of a sender or receiver; each look tells of the time since the last one. */
export class StreamQualityReader {
  readonly #getStats: () => Promise<RTCStatsReport>;
  #before: Counters | undefined;

  constructor(getStats: () => Promise<RTCStatsReport>) {
    this.#getStats = getStats;
  }

  /** Nothing where there is no stream any more. */
  async read(): Promise<StreamQuality | undefined> {
    const stats = (await this.#getStats().catch(() => undefined)) as Map<string, Report> | undefined;
    const reports = [...(stats?.values() ?? [])];
    const streams = reports.filter(({ type }) => type === 'inbound-rtp' || type === 'outbound-rtp');
    if (streams.length === 0) return undefined;
    const sent = streams.filter(({ active, frameWidth, kind }) => active !== false && (kind === 'audio' || frameWidth));
    const largest = sent.reduce<Report | undefined>(
      (best, one) => ((one.frameWidth ?? 0) >= (best?.frameWidth ?? 0) ? one : best),
      undefined,
    );
    const pair = reports.find(
      ({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded',
    );
    const remote = reports.filter(({ type }) => type === 'remote-inbound-rtp');
    const roundTrip = remote.find(({ roundTripTime }) => roundTripTime)?.roundTripTime ?? pair?.currentRoundTripTime;
    const { bitrate, loss } = this.#since(streams);
    return {
      bitrate,
      loss: remote.length > 0 ? Math.max(...remote.map(({ fractionLost = 0 }) => fractionLost)) : loss,
      roundTripMs: roundTrip === undefined ? undefined : Math.round(roundTrip * 1_000),
      codec: reports.find(({ id }) => id === (largest ?? streams[0])?.codecId)?.mimeType?.split('/')[1],
      width: largest?.frameWidth,
      height: largest?.frameHeight,
      framesPerSecond: largest?.framesPerSecond,
      layers: sent.length,
    };
  }

  #since(streams: readonly Report[]): { bitrate?: number; loss?: number } {
    const sum = (field: 'bytesReceived' | 'bytesSent' | 'packetsReceived' | 'packetsSent' | 'packetsLost') =>
      streams.reduce((total, stream) => total + (stream[field] ?? 0), 0);
    const now: Counters = {
      atMs: streams[0]?.timestamp ?? 0,
      bytes: sum('bytesReceived') + sum('bytesSent'),
      packets: sum('packetsReceived') + sum('packetsSent'),
      lost: sum('packetsLost'),
    };
    const before = this.#before;
    this.#before = now;
    // Counters begin again with another stream of the same source.
    if (!before || now.atMs <= before.atMs || now.bytes < before.bytes) return {};
    const lost = Math.max(now.lost - before.lost, 0);
    const all = lost + now.packets - before.packets;
    return {
      bitrate: ((now.bytes - before.bytes) * 8_000) / (now.atMs - before.atMs),
      ...(all > 0 && { loss: lost / all }),
    };
  }
}
