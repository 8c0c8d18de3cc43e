//! ICE and DTLS parameters of a transport, in the shapes of `mediasoup-client` 3.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::TransportId;
use crate::sctp::SctpParameters;

/// The server's side of ICE: it is a lite agent, the client does all the checking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// The server's ufrag.
    pub username_fragment: String,
    /// The server's password.
    pub password: String,
    /// Always true.
    pub ice_lite: bool,
}

/// UDP or TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum IceProtocol {
    /// Datagrams.
    Udp,
    /// A stream framed by RFC 4571.
    Tcp,
}

/// A place where the server can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates of one address and protocol.
    pub foundation: String,
    /// RFC 8445 5.1.2.1.
    pub priority: u32,
    /// The address to send to.
    #[ts(as = "String")]
    pub ip: IpAddr,
    /// The same, under the name that newer clients read.
    #[ts(as = "String")]
    pub address: IpAddr,
    /// UDP or TCP.
    pub protocol: IceProtocol,
    /// The port to send to.
    pub port: u16,
    /// Always `host`.
    #[serde(rename = "type")]
    pub kind: CandidateKind,
    /// `passive`, with TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tcp_type: Option<TcpKind>,
}

/// The only kind of candidate that a lite agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum CandidateKind {
    /// An address of this host, or one announced for it.
    Host,
}

/// Which side opens an ICE-TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum TcpKind {
    /// The server waits for the client.
    Passive,
}

/// Who opens the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Either; said by the server in its offer.
    Auto,
    /// The one that sends the ClientHello.
    Client,
    /// The one that waits for it.
    Server,
}

/// A hash of a certificate (RFC 8122).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DtlsFingerprint {
    /// `sha-256`, or another name of the registry.
    #[ts(type = "\"sha-1\" | \"sha-224\" | \"sha-256\" | \"sha-384\" | \"sha-512\"")]
    pub algorithm: String,
    /// Upper-case hexadecimal pairs between colons.
    pub value: String,
}

/// A side's DTLS role and certificate hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DtlsParameters {
    /// Who opens the handshake.
    #[serde(default = "auto")]
    #[ts(optional, as = "Option<DtlsRole>")]
    pub role: DtlsRole,
    /// At least one; a server's is always `sha-256`.
    pub fingerprints: Vec<DtlsFingerprint>,
}

fn auto() -> DtlsRole {
    DtlsRole::Auto
}

/// What `mediasoup-client` needs for `createSendTransport` or `createRecvTransport`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TransportOptions {
    /// The transport's id, for every later request about it.
    pub id: TransportId,
    /// The server's ICE credentials.
    pub ice_parameters: IceParameters,
    /// Where the server can be reached.
    pub ice_candidates: Vec<IceCandidate>,
    /// The server's DTLS role and certificate.
    pub dtls_parameters: DtlsParameters,
    /// The server's end of data channels, for a client that joined with `enableSctp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sctp_parameters: Option<SctpParameters>,
}
