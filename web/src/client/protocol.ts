// generated from crates/protocol; script/generate writes it
//
// The wire types of docs/signaling.md. Where `mediasoup-client` has a type of the same name, each is assignable
// to the other.

/** The name of a room: 1 to 64 of `a-z 0-9 - _`, so that it is a URL path segment as it stands. */
export type RoomId = string;

/** The name of a node, unique in its cluster: 1 to 32 of `a-z 0-9 -`. */
export type NodeId = string;

/** A person in a room. Chosen at random when they first join, kept over resume, move and reload. */
export type ParticipantId = string;

/**
 * A producer: what one participant sends from one source. Because the id is made of these two it survives
 * reload, resume and a move to another node, and so do its consumers. On the wire `{participant}-{source}`.
 */
export type ProducerId = string;

/** A transport on the node that created it. */
export type TransportId = string;

/** A consumer on the node that created it. */
export type ConsumerId = string;

/**
 * A data producer: one channel that one participant sends on. Unlike a producer it ends with its transport, so each
 * has a number of its own. On the wire `{participant}-{number}`, the number as 8 lower-case hexadecimal digits.
 */
export type DataProducerId = string;

/** A data consumer on the node that created it. */
export type DataConsumerId = string;

/** What a participant publishes: at most one producer per source. */
export type Source = "mic" | "camera" | "screen" | "screenAudio";

/** What went wrong, for programs. A code never changes its meaning. */
export type ErrorCode =
  | "bad_request"
  | "unknown_request"
  | "too_large"
  | "rate_limited"
  | "unauthorized"
  | "forbidden"
  | "not_joined"
  | "room_full"
  | "room_locked"
  | "server_full"
  | "limit_reached"
  | "not_found"
  | "already_exists"
  | "wrong_state"
  | "unsupported_media"
  | "request_expired"
  | "superseded"
  | "session_expired"
  | "removed"
  | "denied"
  | "meeting_ended"
  | "log_unavailable"
  | "draining"
  | "internal";

/** The error of a refused request, as a client gets it. */
export type ErrorBody = {
  /** For programs. */
  code: ErrorCode;
  /** For people: what is wrong and what to do, in English. */
  message: string;
  /** Whether repeating the same request, with the same number, may succeed. */
  retryable: boolean;
};

/** Audio or video. */
export type MediaKind = "audio" | "video";

/** A kind of RTCP feedback: `{"type": "nack", "parameter": "pli"}`. */
export type RtcpFeedback = {
  /** `nack`, `ccm`, `transport-cc`, `goog-remb`. */
  type: string;
  /** `pli`, `fir` or empty. */
  parameter?: string;
};

/** A codec that an endpoint can handle. */
export type RtpCodecCapability = {
  /** Audio or video. */
  kind: MediaKind;
  /** `audio/opus`, `video/VP8`, `video/rtx` …; compared without regard to case. */
  mimeType: string;
  /** The payload type that the endpoint would rather use; the server and `mediasoup-client` always give it. */
  preferredPayloadType: number;
  /** RTP clock, in Hz. */
  clockRate: number;
  /** Audio channels; absent for video. */
  channels?: number;
  /** The codec's `fmtp` parameters. */
  parameters?: Record<string, unknown>;
  /** The feedback that the endpoint understands for it. */
  rtcpFeedback?: Array<RtcpFeedback>;
};

/** In which direction a header extension may be used, from the endpoint's point of view. */
export type ExtensionDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** A header extension that an endpoint can handle. */
export type RtpHeaderExtension = {
  /** Audio or video. */
  kind: MediaKind;
  /** The extension's name. */
  uri: RtpHeaderExtensionUri;
  /** The id that the endpoint would rather use. */
  preferredId: number;
  /** Whether the value should be encrypted (RFC 6904); never here. */
  preferredEncrypt?: boolean;
  /** In which direction it may be used; absent means both. */
  direction?: ExtensionDirection;
};

/** What an endpoint can receive. */
export type RtpCapabilities = {
  /** Codecs, the preferred first. */
  codecs?: Array<RtpCodecCapability>;
  /** Header extensions. */
  headerExtensions?: Array<RtpHeaderExtension>;
};

/** A codec in use. */
export type RtpCodecParameters = {
  /** `audio/opus`, `video/VP8`, `video/rtx` … */
  mimeType: string;
  /** The payload type on the wire. */
  payloadType: number;
  /** RTP clock, in Hz. */
  clockRate: number;
  /** Audio channels; absent for video. */
  channels?: number;
  /** The codec's `fmtp` parameters. */
  parameters?: Record<string, unknown>;
  /** The feedback in use. */
  rtcpFeedback?: Array<RtcpFeedback>;
};

/** A header extension in use. */
export type RtpHeaderExtensionParameters = {
  /** The extension's name. */
  uri: RtpHeaderExtensionUri;
  /** The id on the wire. */
  id: number;
  /** Whether the value is encrypted (RFC 6904); never here. */
  encrypt?: boolean;
};

/** The retransmission stream of an encoding. */
export type RtxParameters = {
  /** Its SSRC. */
  ssrc: number;
};

/** One stream of a producer or consumer. */
export type RtpEncodingParameters = {
  /** Its SSRC; absent where `rid` names the stream. */
  ssrc?: number;
  /** Its RID (RFC 8852); absent where `ssrc` names the stream. */
  rid?: string;
  /** The payload type of its codec, where several are listed. */
  codecPayloadType?: number;
  /** Its retransmission stream. */
  rtx?: RtxParameters;
  /** Discontinuous transmission. */
  dtx?: boolean;
  /** Spatial and temporal layers, `L1T3`. */
  scalabilityMode?: string;
  /** Highest bitrate, in bit/s. */
  maxBitrate?: number;
};

/** How RTCP is used. */
export type RtcpParameters = {
  /** The canonical name (RFC 3550 6.5.1): streams that share it are played in time with each other. */
  cname?: string;
  /** Reduced-size RTCP (RFC 5506). */
  reducedSize?: boolean;
};

/** What a producer sends or a consumer receives. */
export type RtpParameters = {
  /** The media section that carries it; on a consumer never reused within its transport. */
  mid?: string;
  /** The codec, and `rtx` for it. */
  codecs: Array<RtpCodecParameters>;
  /** Header extensions in use. */
  headerExtensions?: Array<RtpHeaderExtensionParameters>;
  /** The streams; a consumer has exactly one. */
  encodings?: Array<RtpEncodingParameters>;
  /** How RTCP is used. */
  rtcp?: RtcpParameters;
  /** The browser's `msid` line, where it gave one. */
  msid?: string;
};

/** The server's side of ICE: it is a lite agent, the client does all the checking. */
export type IceParameters = {
  /** The server's ufrag. */
  usernameFragment: string;
  /** The server's password. */
  password: string;
  /** Always true. */
  iceLite: boolean;
};

/** UDP or TCP. */
export type IceProtocol = "udp" | "tcp";

/** The only kind of candidate that a lite agent has. */
export type CandidateKind = "host";

/** Which side opens an ICE-TCP connection. */
export type TcpKind = "passive";

/** A place where the server can be reached. */
export type IceCandidate = {
  /** Equal for candidates of one address and protocol. */
  foundation: string;
  /** RFC 8445 5.1.2.1. */
  priority: number;
  /** The address to send to. */
  ip: string;
  /** The same, under the name that newer clients read. */
  address: string;
  /** UDP or TCP. */
  protocol: IceProtocol;
  /** The port to send to. */
  port: number;
  /** Always `host`. */
  type: CandidateKind;
  /** `passive`, with TCP only. */
  tcpType?: TcpKind;
};

/** Who opens the DTLS handshake. */
export type DtlsRole = "auto" | "client" | "server";

/** A hash of a certificate (RFC 8122). */
export type DtlsFingerprint = {
  /** `sha-256`, or another name of the registry. */
  algorithm: "sha-1" | "sha-224" | "sha-256" | "sha-384" | "sha-512";
  /** Upper-case hexadecimal pairs between colons. */
  value: string;
};

/** A side's DTLS role and certificate hashes. */
export type DtlsParameters = {
  /** Who opens the handshake. */
  role?: DtlsRole;
  /** At least one; a server's is always `sha-256`. */
  fingerprints: Array<DtlsFingerprint>;
};

/** The server's end of a transport's SCTP association. */
export type SctpParameters = {
  /** The SCTP port (RFC 8841 5). */
  port: number;
  /** Streams that the server may send on. */
  OS: number;
  /** Streams that the server takes. */
  MIS: number;
  /** The largest message in bytes, for clients before 3.19. */
  maxMessageSize: number;
  /** The largest message that the server sends, in bytes. */
  maxSendMessageSize: number;
  /** The largest message that the server takes, in bytes. */
  maxReceiveMessageSize: number;
};

/**
 * How the messages of one data channel travel. At most one of the two limits is there; without both the channel is
 * reliable.
 */
export type SctpStreamParameters = {
  /** The stream in both directions; the channel's id. */
  streamId: number;
  /** Whether messages come in the order in which they were sent; absent means that they do, unless there is a limit. */
  ordered?: boolean;
  /** For how long a message is sent again, in milliseconds. */
  maxPacketLifeTime?: number;
  /** How often a message is sent again. */
  maxRetransmits?: number;
};

/** Why a data consumer ended although its client did not ask for that. */
export type DataConsumerCloseReason = "producerClosed" | "sendBufferFull" | "channelClosed" | "associationClosed";

/** What `mediasoup-client` needs for `createSendTransport` or `createRecvTransport`. */
export type TransportOptions = {
  /** The transport's id, for every later request about it. */
  id: TransportId;
  /** The server's ICE credentials. */
  iceParameters: IceParameters;
  /** Where the server can be reached. */
  iceCandidates: Array<IceCandidate>;
  /** The server's DTLS role and certificate. */
  dtlsParameters: DtlsParameters;
  /** The server's end of data channels, for a client that joined with `enableSctp`. */
  sctpParameters?: SctpParameters;
};

/** One incoming stream: a producer's only one, or a layer of it. */
export type StreamStats = {
  /** Known from the first packet on. */
  ssrc?: number;
  /** The encoding's, where it has one. */
  rid?: string;
  /** From 0, nothing comes, to 10, nothing is lost. */
  score: number;
  /** In bit/s. */
  bitrate: number;
  /** Packets received, retransmissions not counted. */
  packetsReceived: number;
  /** Packets that the network lost. */
  packetsLost: number;
  /** Of those, sent again and received. */
  packetsRepaired: number;
  /** Interarrival jitter (RFC 3550 6.4.1), in ms. */
  jitter: number;
  /** Packets that the server asked for again. */
  nackCount: number;
  /** Keyframes that the server asked for. */
  pliCount: number;
};

/** One producer. */
export type ProducerStats = {
  /** Which. */
  producerId: ProducerId;
  /** Audio or video. */
  kind: MediaKind;
  /** Muted. */
  paused: boolean;
  /** How well its best layer arrives. */
  score: number;
  /** Its layers, the lowest first. */
  streams: Array<StreamStats>;
};

/** One consumer. */
export type ConsumerStats = {
  /** Which. */
  consumerId: ConsumerId;
  /** What it receives. */
  producerId: ProducerId;
  /** Audio or video. */
  kind: MediaKind;
  /** By its client. */
  paused: boolean;
  /** How well it arrives, from 0 to 10: nothing is lost. */
  score: number;
  /** How well what it receives comes to the server, from 0, nothing comes, to 10. */
  producerScore: number;
  /** The layer that it gets, 0 the lowest; absent before the first. */
  spatialLayer?: number;
  /** In bit/s. */
  bitrate: number;
  /** Packets sent, retransmissions not counted. */
  packetsSent: number;
  /** Packets sent again. */
  packetsRetransmitted: number;
  /** Packets that the receiver says it lost. */
  packetsLost: number;
  /** Interarrival jitter that the receiver tells, in ms. */
  jitter: number;
  /** Packets that the receiver asked for again. */
  nackCount: number;
  /** Keyframes that the receiver asked for. */
  pliCount: number;
  /** Skips to a keyframe because the path was too slow. */
  skipCount: number;
};

/** One transport, counted since it was made. Bitrates are of about the last second. */
export type TransportStats = {
  /** Which. */
  transportId: TransportId;
  /** Whether ICE and DTLS are through. */
  connected: boolean;
  /** What it goes by now. */
  protocol?: IceProtocol;
  /** SRTP and SRTCP packets received. */
  packetsReceived: number;
  /** Bytes of those. */
  bytesReceived: number;
  /** SRTP packets sent, retransmissions included. */
  packetsSent: number;
  /** Bytes of those. */
  bytesSent: number;
  /** In ms, once something told. */
  roundTripTime?: number;
  /** What its path is thought to carry to the client, in bit/s; known while video is received. */
  availableOutgoingBitrate?: number;
  /** What the client publishes on it. */
  producers: Array<ProducerStats>;
  /** What the client receives on it. */
  consumers: Array<ConsumerStats>;
};

/** Something of a moment. */
export type Signal = {
  kind: "typing";
} | {
  kind: "reaction";
  /** 1 to 32 bytes. */
  emoji: string;
};

/** What somebody is in a room. */
export type Role = "host" | "coHost" | "participant" | "viewer";

/** What hosts can switch in a room. */
export type Setting = "lobby" | "locked" | "mic" | "camera" | "screen" | "chat";

/** How a room is set. The host and co-hosts may do what they forbid to others. */
export type RoomSettings = {
  /** Newcomers wait until the host or a co-host lets them in. */
  lobby: boolean;
  /** Newcomers are refused. */
  locked: boolean;
  /** Participants may unmute their microphones. */
  mic: boolean;
  /** Participants may switch their cameras on. */
  camera: boolean;
  /** Participants may share their screens. */
  screen: boolean;
  /** Participants and viewers may write to the room. */
  chat: boolean;
};

/** What hosts and co-hosts do to others and to the room. */
export type Moderation = {
  action: "mute";
  /** Whose; without it, of all others whom the caller may mute. */
  participantId?: ParticipantId;
  /** `mic`, `camera` or `screen`. */
  source: Source;
} | {
  action: "askToUnmute";
  /** Whom. */
  participantId: ParticipantId;
  /** `mic` or `camera`. */
  source: Source;
} | {
  action: "remove";
  /** Whom. */
  participantId: ParticipantId;
  /** Whoever joins from their address later waits to be let in, also where the lobby is off. */
  ban?: boolean;
} | {
  action: "admit";
  /** Whom; without it, all who wait. */
  participantId?: ParticipantId;
} | {
  action: "deny";
  /** Whom. */
  participantId: ParticipantId;
} | {
  action: "setRole";
  /** Whom. */
  participantId: ParticipantId;
  /** Which. */
  role: Role;
} | {
  action: "setSetting";
  /** Which. */
  setting: Setting;
  /** Its new value. */
  on: boolean;
} | {
  action: "lowerHands";
  /** Whose; without it, everybody's. */
  participantId?: ParticipantId;
} | {
  action: "end";
};

/** A producer as the others see it. */
export type ProducerView = {
  /** For `consume`; names the participant and the source. */
  id: ProducerId;
  /** Audio or video. */
  kind: MediaKind;
  /** Muted, or switched off for now. */
  paused: boolean;
};

/** A data producer as the others see it. */
export type DataProducerView = {
  /** For `consumeData`; names the participant. */
  id: DataProducerId;
  /** What its sender calls it; need not be unique. */
  label: string;
  /** What its messages are, in a word of the application's. */
  protocol: string;
};

/** A participant as the others see them. */
export type ParticipantView = {
  /** Who. */
  id: ParticipantId;
  /** As they typed it. */
  name: string;
  /** What they may do. */
  role: Role;
  /** Whether they raised their hand: the number of the event that did, so the lowest was first. */
  hand: number | null;
  /** What they publish. */
  producers: Array<ProducerView>;
  /** The channels that they send on. */
  dataProducers: Array<DataProducerView>;
};

/** Somebody who waits to be let in. */
export type WaitingView = {
  /** Who. */
  id: ParticipantId;
  /** As they typed it. */
  name: string;
  /** Somebody was removed for good who came from the same address. */
  removedBefore: boolean;
};

/** What somebody wrote to the room. */
export type ChatMessage = {
  /** The room's messages are numbered from 1 in their order, without gaps. */
  number: number;
  /** Who wrote it; they may be gone. */
  participantId: ParticipantId;
  /** What they were called then. */
  name: string;
  /** As they typed it: no markup. */
  text: string;
  /** When the room took it, in milliseconds since the Unix epoch. */
  timeMs: number;
};

/** Everything that a member needs to know of a room to draw it. */
export type RoomSnapshot = {
  /** Which room. */
  roomId: RoomId;
  /** How many room events have been applied; notifications count on from here. */
  seq: number;
  /** In the order in which they joined. */
  participants: Array<ParticipantView>;
  /** The video codecs that everybody in the room can receive, as `video/VP8`, the server's first choice first. */
  videoCodecs: Array<string>;
  /** The newest messages, oldest first. */
  chat: Array<ChatMessage>;
  /** What the host and co-hosts decided for all. */
  settings: RoomSettings;
  /** Who waits to be let in, in the order in which they came. Only the host and co-hosts see it. */
  waiting?: Array<WaitingView>;
};

/** `POST /api/v1/rooms/{room}/join`: where to go and what to bring. */
export type JoinPlace = {
  /** A token of an earlier stay in this room: come back as the same participant (reload). */
  resumeToken?: string;
  /** Nodes that did not answer this client a moment ago; another is chosen if there is one. */
  avoid?: Array<NodeId>;
};

/** A STUN or TURN server. */
export type IceServer = {
  /** `turn:…`, `stun:…`. */
  urls: Array<string>;
  /** For TURN. */
  username?: string;
  /** For TURN. */
  credential?: string;
};

/** The answer to `JoinPlace`. */
export type JoinPlaceReply = {
  /** The node to use. */
  node: NodeId;
  /** Its Socket.IO path, to be resolved against the page's origin. */
  path: string;
  /** For the Socket.IO CONNECT auth; valid for a short time, for this room. */
  token: string;
  /** For `Device.load`. */
  routerRtpCapabilities: RtpCapabilities;
  /** For both transports. */
  iceServers: Array<IceServer>;
};

/** `POST /api/v1/rooms/{room}/resume`: where to come back to a session whose node does not answer. */
export type ResumePlace = {
  /** The newest session token. It is not used up by this. */
  token: string;
  /** Nodes that did not answer this client a moment ago; another is chosen if there is one. */
  avoid?: Array<NodeId>;
};

/** The answer to `ResumePlace`. The token stays the session's. */
export type ResumePlaceReply = {
  /** The node to use; the session's own as long as it lives. */
  node: NodeId;
  /** Its Socket.IO path, to be resolved against the page's origin. */
  path: string;
  /** For transports that the `welcome` brings. */
  iceServers: Array<IceServer>;
};

/** Enter the room. */
export type Join = {
  /** What others read on the tile; trimmed, 1 byte to `name_bytes_max`. */
  name: string;
  /** What this client can receive: `device.recvRtpCapabilities`. */
  rtpCapabilities: RtpCapabilities;
  /** Whether the transports shall carry data channels. */
  enableSctp?: boolean;
};

/**
 * Come back to a session whose socket broke. On the node where it was, transports, producers and consumers are as
 * they were; on another the `welcome` brings new transports, and everything is published and consumed again.
 */
export type Resume = {
  /** The highest room sequence number seen. */
  seq: number;
  /** As in `Join`, for a node that does not know this client. */
  rtpCapabilities?: RtpCapabilities;
  /** As in `Join`. */
  enableSctp?: boolean;
};

/**
 * The auth payload of the Socket.IO CONNECT packet. Exactly one of `join` and `resume` is there. The answer
 * is the event `welcome` with an `Ack` of `Welcome`; after a refusal the server closes the socket.
 */
export type ConnectAuth = {
  /** From `JoinPlaceReply`, or the session token of `Welcome` when resuming. */
  token: string;
  /** Enter the room. */
  join?: Join;
  /** Come back to a session whose socket broke. */
  resume?: Resume;
};

/** The answer to `join` and `resume`. */
export type Welcome = {
  /** Who this client is. */
  participantId: ParticipantId;
  /**
   * For `ConnectAuth.token` of a resume, and for `JoinPlace.resume_token` after a reload. Each use
   * makes a new one and ends the old.
   */
  sessionToken: string;
  /** The room as it is now, this client included. */
  room: RoomSnapshot;
  /** A transport for `createSendTransport`; absent after a resume that kept it. */
  sendTransport?: TransportOptions;
  /** A transport for `createRecvTransport`; absent after a resume that kept it. */
  recvTransport?: TransportOptions;
};

/**
 * The argument of the event `waiting`, in place of the `welcome`, where a host has to let this client in first. The
 * `welcome` follows by the same socket when one does.
 */
export type Waiting = {
  /** Who this client is, and will be. */
  participantId: ParticipantId;
  /** As `Welcome.session_token`. */
  sessionToken: string;
};

/** Which way media flows, from the client's point of view. */
export type Direction = "send" | "recv";

/** The one argument of every request event. */
export type Envelope = {
  /** The request's number, counted by the client from 1 up over the whole session. */
  n: number;
  /** The request's fields; absent means none. */
  data?: unknown;
};

/** The literal `true`. */
export type True = true;

/** The literal `false`. */
export type False = false;

/** An acknowledgement. */
export type Ack<T> = {
  /** Always true. */
  ok: True;
  /** The result. */
  data: T;
} | {
  /** Always false. */
  ok: False;
  /** Why. */
  error: ErrorBody;
};

/** Every request after the welcome. The variant's name in camelCase is the event's name. */
export type Request = {
  event: "leave";
  data: Record<string, never>;
} | {
  event: "createWebRtcTransport";
  data: {
    /** `send` or `recv`, from the client's point of view. */
    direction: Direction;
  };
} | {
  event: "connectWebRtcTransport";
  data: {
    /** Which transport. */
    transportId: TransportId;
    /** The client's role and certificate hashes. */
    dtlsParameters: DtlsParameters;
  };
} | {
  event: "restartIce";
  data: {
    /** Which transport. */
    transportId: TransportId;
  };
} | {
  event: "produce";
  data: {
    /** The send transport. */
    transportId: TransportId;
    /** What is published. */
    source: Source;
    /** Must fit the source. */
    kind: MediaKind;
    /** As `mediasoup-client` gives them. */
    rtpParameters: RtpParameters;
    /** Start muted. */
    paused?: boolean;
  };
} | {
  event: "pauseProducer";
  data: {
    /** One of this participant's. */
    producerId: ProducerId;
  };
} | {
  event: "resumeProducer";
  data: {
    /** One of this participant's. */
    producerId: ProducerId;
  };
} | {
  event: "closeProducer";
  data: {
    /** One of this participant's. */
    producerId: ProducerId;
  };
} | {
  event: "consume";
  data: {
    /** The recv transport. */
    transportId: TransportId;
    /** At most 100. */
    producerIds: Array<ProducerId>;
  };
} | {
  event: "resumeConsumer";
  data: {
    /** One of this participant's. */
    consumerId: ConsumerId;
  };
} | {
  event: "pauseConsumer";
  data: {
    /** One of this participant's. */
    consumerId: ConsumerId;
  };
} | {
  event: "setPreferredLayers";
  data: {
    /** One of this participant's. */
    consumerId: ConsumerId;
    /** 0 the lowest; what is above the highest means the highest. */
    spatialLayer: number;
  };
} | {
  event: "setPriority";
  data: {
    /** One of this participant's. */
    consumerId: ConsumerId;
    /** From 1, which it is at first, to 255: those with the highest are served first. */
    priority: number;
  };
} | {
  event: "getStats";
  data: {
    /** One of this participant's. */
    transportId: TransportId;
  };
} | {
  event: "closeConsumer";
  data: {
    /** One of this participant's. */
    consumerId: ConsumerId;
  };
} | {
  event: "sendChatMessage";
  data: {
    /** What, trimmed; 1 byte to `chat_message_bytes_max`. */
    text: string;
  };
} | {
  event: "raiseHand";
  data: {
    /** Up or down. */
    raised: boolean;
  };
} | {
  event: "moderate";
  data: Moderation;
} | {
  event: "signal";
  data: Signal;
} | {
  event: "produceData";
  data: {
    /** The send transport. */
    transportId: TransportId;
    /** As `mediasoup-client` gives them. */
    sctpStreamParameters: SctpStreamParameters;
    /** What to call it, at most 128 bytes; need not be unique. */
    label?: string;
    /** What its messages are, in a word of the application's, at most 128 bytes. */
    protocol?: string;
  };
} | {
  event: "closeDataProducer";
  data: {
    /** One of this participant's. */
    dataProducerId: DataProducerId;
  };
} | {
  event: "consumeData";
  data: {
    /** The recv transport. */
    transportId: TransportId;
    /** At most 100. */
    dataProducerIds: Array<DataProducerId>;
  };
} | {
  event: "resumeDataConsumer";
  data: {
    /** One of this participant's. */
    dataConsumerId: DataConsumerId;
  };
} | {
  event: "closeDataConsumer";
  data: {
    /** One of this participant's. */
    dataConsumerId: DataConsumerId;
  };
};

/** What `mediasoup-client` needs for `consume`, and whose it is. */
export type ConsumerOptions = {
  /** The consumer's id. */
  id: ConsumerId;
  /** What it receives. */
  producerId: ProducerId;
  /** Audio or video. */
  kind: MediaKind;
  /** How it receives it. */
  rtpParameters: RtpParameters;
  /** Streams with the same id are played in time with each other. */
  streamId: string;
};

/** One result of `consume`. */
export type ConsumeResult = ConsumerOptions | {
  /** Which producer. */
  producerId: ProducerId;
  /** Why. */
  error: ErrorBody;
};

/** What `mediasoup-client` needs for `consumeData`. */
export type DataConsumerOptions = {
  /** The data consumer's id. */
  id: DataConsumerId;
  /** What it receives. */
  dataProducerId: DataProducerId;
  /** How it receives it. */
  sctpStreamParameters: SctpStreamParameters;
  /** The data producer's. */
  label: string;
  /** The data producer's. */
  protocol: string;
};

/** One result of `consumeData`. */
export type ConsumeDataResult = DataConsumerOptions | {
  /** Which data producer. */
  dataProducerId: DataProducerId;
  /** Why. */
  error: ErrorBody;
};

/** The data of a successful acknowledgement. Requests without a result answer `{}`. */
export type Reply = TransportOptions | {
  /** The new credentials. */
  iceParameters: IceParameters;
} | {
  /** The producer's id. */
  id: ProducerId;
} | {
  /** The consumers, or why there is none. */
  consumers: Array<ConsumeResult>;
} | {
  /** The data producer's id. */
  id: DataProducerId;
} | {
  /** The data consumers, or why there is none. */
  dataConsumers: Array<ConsumeDataResult>;
} | TransportStats | Record<string, never>;

/** How loud one producer is. */
export type AudioLevel = {
  /** Which. */
  producerId: ProducerId;
  /** In dBov (RFC 6464): 0 is the loudest, -127 silence. */
  level: number;
};

/**
 * What a client is told. The variant's name in camelCase is the event's name. Those with `seq` come from the
 * room's log and arrive in its order; the number is the room's count of applied events.
 */
export type Notification = {
  event: "participantJoined";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participant: ParticipantView;
  };
} | {
  event: "participantLeft";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participantId: ParticipantId;
    /** Who sent them out, if somebody did. */
    by?: ParticipantId;
  };
} | {
  event: "participantUpdated";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participantId: ParticipantId;
    /** What others read from now on. */
    name: string;
  };
} | {
  event: "chatMessage";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** What. */
    message: ChatMessage;
  };
} | {
  event: "producerAdded";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Whose. */
    participantId: ParticipantId;
    /** What. */
    producer: ProducerView;
  };
} | {
  event: "producerPaused";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Which. */
    producerId: ProducerId;
    /** Who did it, if it was somebody else. */
    by?: ParticipantId;
  };
} | {
  event: "producerResumed";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Which. */
    producerId: ProducerId;
  };
} | {
  event: "producerClosed";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Which. */
    producerId: ProducerId;
    /** Who did it, if it was somebody else. */
    by?: ParticipantId;
  };
} | {
  event: "handRaised";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participantId: ParticipantId;
    /** Their place in the queue: who has the lowest was first. */
    order: number;
  };
} | {
  event: "handLowered";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Whose. */
    participantId: ParticipantId;
    /** Who did it, if it was somebody else. */
    by?: ParticipantId;
  };
} | {
  event: "roleChanged";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participantId: ParticipantId;
    /** What they are now. */
    role: Role;
    /** Who gave it to them, if somebody did. */
    by?: ParticipantId;
  };
} | {
  event: "settingsChanged";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** How. */
    settings: RoomSettings;
    /** By whom. */
    by: ParticipantId;
  };
} | {
  event: "waitingAdded";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    waiting: WaitingView;
  };
} | {
  event: "waitingRemoved";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Who. */
    participantId: ParticipantId;
  };
} | {
  event: "waitingListed";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** In the order in which they came. */
    waiting: Array<WaitingView>;
  };
} | {
  event: "askedToUnmute";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** By whom. */
    by: ParticipantId;
    /** `mic` or `camera`. */
    source: Source;
  };
} | {
  event: "videoCodecsChanged";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** As `video/VP8`, the server's first choice first. */
    videoCodecs: Array<string>;
  };
} | {
  event: "consumerClosed";
  data: {
    /** Which. */
    consumerId: ConsumerId;
  };
} | {
  event: "consumerLayersChanged";
  data: {
    /** Which. */
    consumerId: ConsumerId;
    /** What it gets, 0 the lowest. */
    spatialLayer: number;
  };
} | {
  event: "consumerScore";
  data: {
    /** Which. */
    consumerId: ConsumerId;
    /** At this client: from 0 to 10, nothing is lost. */
    score: number;
    /** At the server: from 0, nothing comes, to 10. */
    producerScore: number;
  };
} | {
  event: "signal";
  data: {
    /** Who. */
    participantId: ParticipantId;
  } & ({
    kind: "typing";
  } | {
    kind: "reaction";
    /** 1 to 32 bytes. */
    emoji: string;
  });
} | {
  event: "wantedLayers";
  data: {
    /** Which. */
    producerId: ProducerId;
    /** The highest that is wanted, 0 the lowest. */
    spatialLayer: number;
  };
} | {
  event: "dataProducerAdded";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Whose. */
    participantId: ParticipantId;
    /** What. */
    dataProducer: DataProducerView;
  };
} | {
  event: "dataProducerClosed";
  data: {
    /** The room's count of applied events. */
    seq: number;
    /** Which. */
    dataProducerId: DataProducerId;
  };
} | {
  event: "dataConsumerClosed";
  data: {
    /** Which. */
    dataConsumerId: DataConsumerId;
    /** Why. */
    reason: DataConsumerCloseReason;
  };
} | {
  event: "transportClosed";
  data: {
    /** Which. */
    transportId: TransportId;
  };
} | {
  event: "activeSpeaker";
  data: {
    /** Their microphone. */
    producerId: ProducerId;
  };
} | {
  event: "audioLevels";
  data: {
    /** Loudest first. */
    levels: Array<AudioLevel>;
  };
} | {
  event: "moveRequested";
  data: Record<string, never>;
} | {
  event: "sessionEnded";
  data: {
    /** Why: `superseded`, `draining`, `removed` … */
    reason: ErrorCode;
  };
};

/**
 * The header extensions that `mediasoup-client` has names for. The server may list others, which go to
 * `mediasoup-client` and back as they are.
 */
export type RtpHeaderExtensionUri =
  | "urn:ietf:params:rtp-hdrext:sdes:mid"
  | "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
  | "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
  | "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
  | "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
  | "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
  | "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
  | "urn:3gpp:video-orientation"
  | "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
  | "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
  | "urn:mediasoup:params:rtp-hdrext:packet-id";

/** The name of a request event. */
export type RequestEvent = Request["event"];

/** The data of the request event `E`. */
export type RequestData<E extends RequestEvent> = Extract<Request, { event: E }>["data"];

/** The data of a successful acknowledgement of the request event `E`. */
export type RequestReply<E extends RequestEvent> = RequestMap[E]["reply"];

/** The name of a notification event. */
export type NotificationEvent = Notification["event"];

/** The data of the notification event `E`. */
export type NotificationData<E extends NotificationEvent> = Extract<Notification, { event: E }>["data"];

/** Notification event -> its data. */
export type NotificationMap = { [E in NotificationEvent]: NotificationData<E> };

/** Request event -> its data and what a successful acknowledgement carries. */
export type RequestMap = {
  leave: { data: RequestData<"leave">; reply: Record<string, never> };
  createWebRtcTransport: { data: RequestData<"createWebRtcTransport">; reply: TransportOptions };
  connectWebRtcTransport: { data: RequestData<"connectWebRtcTransport">; reply: Record<string, never> };
  restartIce: { data: RequestData<"restartIce">; reply: { iceParameters: IceParameters } };
  produce: { data: RequestData<"produce">; reply: { id: ProducerId } };
  pauseProducer: { data: RequestData<"pauseProducer">; reply: Record<string, never> };
  resumeProducer: { data: RequestData<"resumeProducer">; reply: Record<string, never> };
  closeProducer: { data: RequestData<"closeProducer">; reply: Record<string, never> };
  consume: { data: RequestData<"consume">; reply: { consumers: Array<ConsumeResult> } };
  resumeConsumer: { data: RequestData<"resumeConsumer">; reply: Record<string, never> };
  pauseConsumer: { data: RequestData<"pauseConsumer">; reply: Record<string, never> };
  setPreferredLayers: { data: RequestData<"setPreferredLayers">; reply: Record<string, never> };
  setPriority: { data: RequestData<"setPriority">; reply: Record<string, never> };
  getStats: { data: RequestData<"getStats">; reply: TransportStats };
  closeConsumer: { data: RequestData<"closeConsumer">; reply: Record<string, never> };
  sendChatMessage: { data: RequestData<"sendChatMessage">; reply: Record<string, never> };
  raiseHand: { data: RequestData<"raiseHand">; reply: Record<string, never> };
  moderate: { data: RequestData<"moderate">; reply: Record<string, never> };
  signal: { data: RequestData<"signal">; reply: Record<string, never> };
  produceData: { data: RequestData<"produceData">; reply: { id: DataProducerId } };
  closeDataProducer: { data: RequestData<"closeDataProducer">; reply: Record<string, never> };
  consumeData: { data: RequestData<"consumeData">; reply: { dataConsumers: Array<ConsumeDataResult> } };
  resumeDataConsumer: { data: RequestData<"resumeDataConsumer">; reply: Record<string, never> };
  closeDataConsumer: { data: RequestData<"closeDataConsumer">; reply: Record<string, never> };
};
