//! One `sendmmsg` whose messages each may carry a UDP_SEGMENT control message: the cheapest way out that was
//! measured. The system call is the only unsafe code on the packet path.

use std::io;
use std::mem::{offset_of, size_of};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::slice::Chunks;

use sfu::transmit::{Lane, MESSAGES_MAX, SEGMENTS_MAX, SocketIndex};

/// Most messages in one call: a whole batch, or one message of it sent datagram by datagram.
pub(crate) const OUTGOING_MAX: usize = if MESSAGES_MAX > SEGMENTS_MAX { MESSAGES_MAX } else { SEGMENTS_MAX };

/// One message for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing<'a> {
    pub(crate) remote: SocketAddr,
    pub(crate) bytes: &'a [u8],
    /// Where the kernel shall cut it into datagrams; none for a single datagram, which costs a quarter less without
    /// the control message.
    pub(crate) segment_bytes: Option<u16>,
}

impl<'a> Outgoing<'a> {
    /// The datagrams that it holds.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.segment_bytes.map_or(self.bytes.len(), usize::from).max(1))
    }
}

/// Where messages go.
pub(crate) trait SendMessages {
    /// Sends messages in order from one socket: how many were taken, or the error of the first.
    fn send(&mut self, socket: SocketIndex, outgoing: &[Outgoing<'_>]) -> io::Result<usize>;

    /// Gives packets to another worker, which takes what it has room for.
    fn hand_over(&mut self, lane: Lane, packets: Chunks<'_, u8>);
}

/// A destination in the kernel's form.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// The UDP_SEGMENT control message: `cmsghdr`, its data where CMSG_DATA has it, padding up to CMSG_SPACE.
#[derive(Clone, Copy)]
#[repr(C)]
struct SegmentControl {
    header: libc::cmsghdr,
    segment_bytes: u16,
}

/// CMSG_LEN of a `u16`.
const CONTROL_LEN: usize = offset_of!(SegmentControl, segment_bytes) + size_of::<u16>();

/// The arrays that `sendmmsg` reads, prepared once and filled anew for each call.
pub(crate) struct MessageHeaders {
    arrays: Box<Arrays>,
}

struct Arrays {
    headers: [libc::mmsghdr; OUTGOING_MAX],
    iovecs: [libc::iovec; OUTGOING_MAX],
    names: [Name; OUTGOING_MAX],
    controls: [SegmentControl; OUTGOING_MAX],
}

impl MessageHeaders {
    #[allow(unsafe_code)]
    pub(crate) fn new() -> Self {
        // SAFETY: all four are C structures (and a union of such) of integers and raw pointers, for which zeroes are
        // a valid value.
        let mut arrays: Box<Arrays> = Box::new(unsafe { std::mem::zeroed() });
        for control in &mut arrays.controls {
            control.header.cmsg_level = libc::SOL_UDP;
            control.header.cmsg_type = libc::UDP_SEGMENT;
            control.header.cmsg_len = CONTROL_LEN as _;
        }
        Self { arrays }
    }

    /// One `sendmmsg` of up to [`OUTGOING_MAX`] messages, without waiting.
    #[allow(unsafe_code)]
    pub(crate) fn sendmmsg(&mut self, socket: BorrowedFd<'_>, outgoing: &[Outgoing<'_>]) -> io::Result<usize> {
        let count = self.fill(outgoing);
        // SAFETY: the first `count` headers point into `self.arrays` (boxed and borrowed for the whole call) and to
        // the bytes that `outgoing` borrows, each with its true length; the kernel only reads through them, except
        // for `msg_len` of the headers themselves. The descriptor is open as long as it is borrowed.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.arrays.headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Points the headers at the messages; returns how many are filled.
    fn fill(&mut self, outgoing: &[Outgoing<'_>]) -> usize {
        let Arrays { headers, iovecs, names, controls } = &mut *self.arrays;
        let slots = headers.iter_mut().zip(iovecs).zip(names).zip(controls);
        let mut count = 0;
        for ((((header, iovec), name), control), message) in slots.zip(outgoing) {
            let header = &mut header.msg_hdr;
            header.msg_namelen = set_name(name, message.remote) as libc::socklen_t;
            header.msg_name = ptr::from_mut(name).cast();
            iovec.iov_base = message.bytes.as_ptr().cast_mut().cast();
            iovec.iov_len = message.bytes.len();
            header.msg_iov = iovec;
            header.msg_iovlen = 1;
            if let Some(segment_bytes) = message.segment_bytes {
                control.segment_bytes = segment_bytes;
                header.msg_control = ptr::from_mut(control).cast();
                header.msg_controllen = size_of::<SegmentControl>() as _;
            } else {
                header.msg_control = ptr::null_mut();
                header.msg_controllen = 0;
            }
            count += 1;
        }
        count
    }
}

/// Writes the address and returns its length.
fn set_name(name: &mut Name, remote: SocketAddr) -> usize {
    match remote {
        SocketAddr::V4(remote) => {
            name.v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: remote.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(remote.ip().octets()) },
                sin_zero: [0; 8],
            };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(remote) => {
            name.v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: remote.port().to_be(),
                sin6_flowinfo: remote.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: remote.ip().octets() },
                sin6_scope_id: remote.scope_id(),
            };
            size_of::<libc::sockaddr_in6>()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).expect("loopback can be bound");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        socket
    }

    fn receive(socket: &UdpSocket) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let (length, _) = socket.recv_from(&mut buffer).expect("a datagram arrives");
        buffer[..length].to_vec()
    }

    #[test]
    #[allow(unsafe_code)]
    fn the_control_message_has_the_layout_of_the_c_macros() {
        // SAFETY: plain arithmetic.
        let (len, space) = unsafe { (libc::CMSG_LEN(2) as usize, libc::CMSG_SPACE(2) as usize) };
        assert_eq!((CONTROL_LEN, size_of::<SegmentControl>()), (len, space));
    }

    #[test]
    fn six_segments_arrive_as_six_datagrams() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (sender, receiver) = (socket(address), socket(address));
            let bytes: Vec<u8> = (0..6u8).flat_map(|n| vec![n; if n == 5 { 700 } else { 1160 }]).collect();
            let remote = receiver.local_addr().expect("it is bound");
            let message = Outgoing { remote, bytes: &bytes, segment_bytes: Some(1160) };
            assert_eq!(MessageHeaders::new().sendmmsg(sender.as_fd(), &[message]).expect("it is sent"), 1);
            for n in 0..5 {
                assert_eq!(receive(&receiver), vec![n; 1160]);
            }
            assert_eq!(receive(&receiver), vec![5; 700]);
        }
    }

    #[test]
    fn forty_messages_to_forty_destinations_go_in_one_call_and_headers_can_be_reused() {
        let sender = socket("127.0.0.1:0");
        let receivers: Vec<UdpSocket> = (0..40).map(|_| socket("127.0.0.1:0")).collect();
        let mut headers = MessageHeaders::new();
        for segments in [2, 1] {
            let payloads: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 100 * segments]).collect();
            let outgoing: Vec<Outgoing<'_>> = receivers
                .iter()
                .zip(&payloads)
                .map(|(receiver, bytes)| Outgoing {
                    remote: receiver.local_addr().expect("it is bound"),
                    bytes,
                    segment_bytes: (segments > 1).then_some(100),
                })
                .collect();
            assert_eq!(headers.sendmmsg(sender.as_fd(), &outgoing).expect("they are sent"), 40);
            for (n, receiver) in (0u8..).zip(&receivers) {
                for _ in 0..segments {
                    assert_eq!(receive(receiver), vec![n; 100]);
                }
            }
        }
    }

    #[test]
    fn more_messages_than_one_call_takes_are_left_to_the_next() {
        let (sender, receiver) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let message =
            Outgoing { remote: receiver.local_addr().expect("it is bound"), bytes: b"x", segment_bytes: None };
        let sent = MessageHeaders::new().sendmmsg(sender.as_fd(), &[message; OUTGOING_MAX + 1]);
        assert_eq!(sent.expect("they are sent"), OUTGOING_MAX);
    }
}
