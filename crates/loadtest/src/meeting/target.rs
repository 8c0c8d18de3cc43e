//! The server under test: one that runs, or one that is started and ends with the run.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;

use super::options::Options;
use crate::server::Server;

pub(super) struct Target {
    pub(super) address: SocketAddr,
    process: Option<u32>,
    /// Kept for its end.
    _server: Option<Server>,
}

/// What the server's process has used so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    pub(super) memory_kib: u64,
}

impl Target {
    pub(super) fn new(options: &Options) -> anyhow::Result<Self> {
        if let Some(program) = &options.server {
            let server = Server::start(program, options.workers, None)?;
            return Ok(Self { address: server.address, process: Some(server.process()), _server: Some(server) });
        }
        let url = options.url.as_deref().context("neither --url nor --server")?;
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let mut addresses = host.to_socket_addrs().with_context(|| format!("{url} is not http://HOST:PORT/"))?;
        let address = addresses.find(SocketAddr::is_ipv4).with_context(|| format!("{url} has no IPv4 address"))?;
        Ok(Self { address, process: options.pid, _server: None })
    }

    /// None of a server whose process is not known.
    pub(super) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        let Some(process) = self.process else { return Ok(None) };
        let (cpu, memory_kib) = (crate::cpu::of_process(process)?, crate::memory::of_process_kib(process)?);
        Ok(Some(Usage { cpu, memory_kib }))
    }
}
