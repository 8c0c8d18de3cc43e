//! One connection: frames in, frames out, and what the kernel did not take yet.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use arrayvec::ArrayVec;
use mio::net::TcpStream;
use sfu::framing::{Deframer, LENGTH_BYTES, length_prefix};
use sfu::ice::{PacketKind, classify};
use sfu::transmit::{SEGMENTS_MAX, SocketIndex};

use super::Closed;

/// Most bytes that wait for the kernel: what was written for the connection before it was known to be full, and control
/// packets after that. 300 ms of a large picture are a third of it.
pub(super) const QUEUE_BYTES_MAX: usize = 256 * 1024;
/// Of these, what media and data channels leave to checks and reports, without which the client gives the path up.
pub(super) const CONTROL_BYTES: usize = 32 * 1024;
/// The content type of what data channels send (RFC 6347 4.1).
const DTLS_APPLICATION_DATA: u8 = 23;
/// Most datagrams of one system call.
pub(super) const DATAGRAMS_MAX: usize = SEGMENTS_MAX;

pub(super) struct Connection {
    pub(super) socket: SocketIndex,
    pub(super) remote: SocketAddr,
    pub(super) accepted: Instant,
    /// A client's STUN check came by it, as seen when last looked.
    pub(super) proven: bool,
    /// Something may wait to be read. Readiness is edge-triggered: this stays true until a read comes back empty.
    pub(super) readable: bool,
    stream: TcpStream,
    deframer: Deframer,
    /// Whole frames, but for the first, of which a part may be out.
    queue: VecDeque<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, socket: SocketIndex, remote: SocketAddr, accepted: Instant) -> Self {
        Self {
            socket,
            remote,
            accepted,
            proven: false,
            readable: true,
            stream,
            deframer: Deframer::default(),
            queue: VecDeque::new(),
        }
    }

    pub(super) fn source_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Bytes that wait for the kernel.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Reads once and hands the datagrams that are whole over, all with the one instant read after the system call.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut deliver: impl FnMut(Instant, &mut [u8]),
    ) -> Result<(), Closed> {
        match self.stream.read(buffer) {
            Ok(0) => Err(Closed::ByPeer),
            Ok(bytes) => {
                let now = Instant::now();
                let frames = self.deframer.read(&mut buffer[..bytes], |datagram| deliver(now, datagram));
                frames.map_err(|_| Closed::FrameTooLong)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(_) => Err(Closed::ByError),
        }
    }

    /// Sends up to [`DATAGRAMS_MAX`] datagrams, each as a frame, in one system call; queues what the kernel does not take.
    /// Gives how many found the queue full.
    pub(super) fn send(&mut self, datagrams: &[&[u8]]) -> Result<usize, Closed> {
        let mut written = if self.queue.is_empty() { self.write_frames(datagrams)? } else { 0 };
        let mut dropped = 0;
        for datagram in datagrams {
            let frame_bytes = LENGTH_BYTES + datagram.len();
            if written >= frame_bytes {
                written -= frame_bytes;
                continue;
            }
            // A frame that has begun has to end.
            let room = if is_control(datagram) { QUEUE_BYTES_MAX } else { QUEUE_BYTES_MAX - CONTROL_BYTES };
            if written == 0 && self.queue.len() + frame_bytes > room {
                dropped += 1;
                continue;
            }
            self.queue.extend(length_prefix(datagram.len()).iter().skip(written));
            self.queue.extend(&datagram[written.saturating_sub(LENGTH_BYTES)..]);
            written = 0;
        }
        // The kernel tells of room only after it refused something.
        self.flush()?;
        Ok(dropped)
    }

    /// Sends what is queued, as far as the kernel takes it.
    pub(super) fn flush(&mut self) -> Result<(), Closed> {
        while !self.queue.is_empty() {
            let (head, tail) = self.queue.as_slices();
            match write(&mut self.stream, &[IoSlice::new(head), IoSlice::new(tail)])? {
                0 => return Ok(()),
                bytes => drop(self.queue.drain(..bytes)),
            }
        }
        // Few connections ever have a queue: none keeps its memory.
        self.queue = VecDeque::new();
        Ok(())
    }

    fn write_frames(&mut self, datagrams: &[&[u8]]) -> Result<usize, Closed> {
        let prefixes: ArrayVec<_, DATAGRAMS_MAX> =
            datagrams.iter().map(|datagram| length_prefix(datagram.len())).collect();
        let frames = prefixes.iter().zip(datagrams);
        let slices: ArrayVec<IoSlice<'_>, { 2 * DATAGRAMS_MAX }> =
            frames.flat_map(|(prefix, datagram)| [IoSlice::new(prefix), IoSlice::new(datagram)]).collect();
        write(&mut self.stream, &slices)
    }
}

/// What is neither media nor of a data channel.
fn is_control(datagram: &[u8]) -> bool {
    match classify(datagram) {
        Some(PacketKind::Stun | PacketKind::Rtcp) => true,
        Some(PacketKind::Dtls) => datagram[0] != DTLS_APPLICATION_DATA,
        Some(PacketKind::Rtp) | None => false,
    }
}

/// How much the kernel took: nothing while its buffer is full.
fn write(stream: &mut TcpStream, slices: &[IoSlice<'_>]) -> Result<usize, Closed> {
    loop {
        match stream.write_vectored(slices) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(_) => return Err(Closed::ByError),
        }
    }
}
