/** What came on a channel: a text, or how long a binary message was and whether each byte was right. */
export type Received = { text: string } | { bytes: number; intact: boolean };

export interface Channel {
  label?: string;
  protocol?: string;
  ordered?: boolean;
  maxRetransmits?: number;
  maxPacketLifeTime?: number;
}

/** What `pages/channels` does for a test, as `globalThis.channels`. */
export interface Channels {
  /** Opens a channel and gives the data producer's id. */
  open(channel: Channel): Promise<string>;
  /** Consumes so many times over, as so many receivers do, and gives the data consumers' ids. */
  receive(dataProducerId: string, times: number): Promise<string[]>;
  sendText(dataProducerId: string, texts: string[]): void;
  /** Sends a binary message of so many bytes, each of which follows from its place and from `n`. */
  sendBytes(dataProducerId: string, n: number, bytes: number): void;
  received(dataConsumerId: string): Received[];
  consumerState(dataConsumerId: string): string | undefined;
  closeProducer(dataProducerId: string): void;
  notifications(): { event: string; data: unknown }[];
  maxMessageSize(): number | undefined;
}
