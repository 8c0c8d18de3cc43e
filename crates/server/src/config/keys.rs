//! The configuration keys: what the file, the environment, the flags, the messages and the sample are made of.

/// One key.
pub(super) struct Key {
    /// Its path in the file: `listen`, `limits.grace_ms`.
    pub name: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// For the sample file and `--help`.
    pub doc: &'static str,
}

/// What a value looks like.
pub(super) enum Kind {
    /// A string; what is allowed, in words.
    Text(&'static str),
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A whole number in this range, both ends included.
    Number(u64, u64),
    /// `true` or `false`; as a flag, without a value.
    Switch,
    /// A list of strings; as a flag or in the environment separated by commas.
    List(&'static str),
}

impl Key {
    /// The name as a flag, without its dashes.
    pub(super) fn flag(&self) -> String {
        self.outside().replace(['.', '_'], "-")
    }

    /// The name in the environment.
    pub(super) fn variable(&self) -> String {
        format!("HYPERION_{}", self.outside().replace('.', "_").to_uppercase())
    }

    /// The name outside of a file. That without which a backend is none, its address, is called like itself.
    fn outside(&self) -> &'static str {
        self.name.strip_suffix(".brokers").or_else(|| self.name.strip_suffix(".url")).unwrap_or(self.name)
    }

    /// What is allowed, in words.
    pub(super) fn allowed(&self) -> String {
        match &self.kind {
            Kind::Text(allowed) => (*allowed).to_owned(),
            Kind::Choice(values) => values.join(" or "),
            Kind::Number(min, max) => format!("a whole number from {min} to {max}"),
            Kind::Switch => "true or false".to_owned(),
            Kind::List(allowed) => format!("a list of {allowed}"),
        }
    }
}

const fn text(name: &'static str, allowed: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Text(allowed), doc }
}

const fn number(name: &'static str, min: u64, max: u64, doc: &'static str) -> Key {
    Key { name, kind: Kind::Number(min, max), doc }
}

const fn list(name: &'static str, of: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::List(of), doc }
}

/// Every key, in the order of the sample file: top-level keys before tables.
pub(super) const KEYS: &[Key] = &[
    text(
        "listen",
        "an IP address and a port, such as 127.0.0.1:4400 or [::]:4400",
        "Where HTTP and signalling listen (TCP). Port 0 takes any free one. Beyond loopback the server speaks HTTPS\n\
         (to `trusted_proxies` plain HTTP too), and needs `open`.",
    ),
    Key {
        name: "open",
        kind: Kind::Switch,
        doc: "Lets anybody who can reach the server and knows a room's name join it. There are no tokens yet, so a server\n\
              that listens beyond loopback does not start without this, be it for a proxy alone: people come through it.",
    },
    number(
        "media_port",
        0,
        65_535,
        "Port of the first media worker, UDP and TCP; worker i uses media_port + i. 0 takes any free ones.",
    ),
    number("workers", 0, 256, "Media threads. 0: one per core."),
    list(
        "announce",
        "IP addresses, such as 203.0.113.7",
        "Addresses where clients find this server's media ports, for a machine behind NAT. Empty: every address of the\n\
         machine but those of container bridges.",
    ),
    list(
        "allowed_origins",
        "origins, such as https://meet.example.org",
        "Origins of web pages that may connect, beside the loopback names and the listen and announced addresses.",
    ),
    text(
        "tls_cert",
        "the path of a PEM file",
        "Certificate chain for HTTPS, leaf first. Without it a server beyond loopback makes a self-signed one.",
    ),
    text("tls_key", "the path of a PEM file", "Private key of the certificate."),
    text(
        "data_dir",
        "the path of a directory",
        "Where the self-signed certificate is kept. Not set: $XDG_DATA_HOME/hyperion, or ~/.local/share/hyperion.",
    ),
    text(
        "node",
        "1 to 32 characters of a-z, 0-9 and -",
        "This node's name. In a cluster every node has one of its own, and keeps it over a restart.",
    ),
    text(
        "cluster_secret_file",
        "the path of a file",
        "File with the secret that all nodes of a cluster share: 32 characters or more on a line. The first line signs,\n\
         all are believed, so that a secret can be replaced. Without a cluster: so that people who are in a meeting can\n\
         come back to it after a restart (with `kafka`).",
    ),
    text(
        "link_listen",
        "an IP address and a port, such as 10.0.0.2:4600 or [fd00::2]:4600",
        "Where the other nodes of the cluster reach this one for what nodes tell each other (UDP; QUIC, with certificates\n\
         made of the cluster's secret): an address of this machine, which the others are told. Port 0 takes any free one.\n\
         Streams between nodes go by the media ports on the same IP, so media has to listen there. Not set: the first\n\
         address of media, and any free port.",
    ),
    number(
        "drain_seconds",
        0,
        3600,
        "How long a node of a cluster that is told to end (SIGTERM) waits at most until its people are on other nodes, and\n\
         they notice nothing of it. A second signal ends the wait. Whatever stops it has to wait longer than that.",
    ),
    list(
        "trusted_proxies",
        "IP addresses and ranges, such as 127.0.0.1 or 10.0.5.0/29",
        "Load balancers in front. What they write into X-Forwarded-For counts as the client's address, and they may speak\n\
         plain HTTP where the server listens beyond loopback and everybody else has to speak HTTPS. So nobody else may\n\
         send from these addresses, and the way from there has to be private: nothing encrypts it.",
    ),
    list(
        "kafka.brokers",
        "addresses with a port, such as 127.0.0.1:9092",
        "Some brokers of the Kafka that keeps the rooms' events (as a flag --kafka, in the environment HYPERION_KAFKA).\n\
         Empty: they stay in this process.",
    ),
    Key {
        name: "kafka.dangerously_unprotected",
        kind: Kind::Switch,
        doc: "Takes a Kafka on another machine. There is no encryption and no password yet, so whoever is on the way or\n\
              reaches that Kafka can read and change every room.",
    },
    text(
        "redis.url",
        "redis://host:port or redis://user:password@host:port",
        "The Redis in which the nodes of a cluster find each other (as a flag --redis, in the environment\n\
         HYPERION_REDIS). With it the server is one node of a cluster, and needs `kafka`, `node` and\n\
         `cluster_secret_file`.",
    ),
    Key {
        name: "redis.dangerously_unprotected",
        kind: Kind::Switch,
        doc: "Takes a Redis on another machine without a password. Whoever reaches it can send people to nodes of his own.",
    },
    list(
        "turn.urls",
        "addresses such as turn:turn.example.org:3478?transport=udp",
        "Where clients find a TURN server, which leads the media of those to this server whose network lets nothing else\n\
         through. It has to reach the media ports, and to know the secret in `turn.secret_file`.",
    ),
    text(
        "turn.secret_file",
        "the path of a file",
        "File with the secret that the TURN server knows too (coturn: static-auth-secret), 32 characters or more. Clients\n\
         get names and passwords that are made with it and end after a day.",
    ),
    Key { name: "log.format", kind: Kind::Choice(&["text", "json"]), doc: "Form of a log line (standard error)." },
    text(
        "log.level",
        "error, warn, info, debug or trace",
        "Least severe level that is logged; directives such as info,sfu=debug are taken too.",
    ),
    number("limits.message_bytes_max", 4_096, 16_777_216, "Largest Socket.IO message and HTTP body, in bytes."),
    number(
        "limits.requests_per_second",
        1,
        100_000,
        "Requests per second that one socket may send on average; bursts of four times that are taken.",
    ),
    number(
        "limits.joins_per_second_per_address",
        1,
        100_000,
        "Joins per second that one address may try on average; bursts of ten times that are taken.",
    ),
    number("limits.sockets_per_address_max", 1, 1_000_000, "Sockets that one address may hold at a time."),
    number("limits.participants_per_room_max", 1, 100_000, "People in a room."),
    number(
        "limits.participants_per_room_and_node",
        1,
        100_000,
        "People of one room on one node of a cluster before those who come next go to another.",
    ),
    number(
        "limits.participants_per_room_and_worker",
        1,
        100_000,
        "People of one room on one media thread of a node before those who come next go to another.",
    ),
    number("limits.rooms_per_node_max", 1, 1_000_000, "Rooms on a node."),
    number("limits.consumers_per_participant_max", 1, 100_000, "Consumers of a participant."),
    number("limits.data_producers_per_participant_max", 1, 1_000, "Data producers of a participant."),
    number("limits.data_consumers_per_participant_max", 1, 1_024, "Data consumers of a participant."),
    number("limits.name_bytes_max", 1, 1_024, "Longest display name, in bytes."),
    number("limits.chat_message_bytes_max", 1, 16_384, "Longest message of the chat, in bytes."),
    number(
        "limits.grace_ms",
        0,
        600_000,
        "How long a participant whose socket broke is held before the others see them leave, in milliseconds.",
    ),
];
