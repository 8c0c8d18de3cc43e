//! RTP on the wire (RFC 3550, RFC 8285): headers, header extensions, and numbers that wrap.

pub mod dependency_descriptor;
mod elements;
mod extension;
mod header;
mod seq;
mod values;

#[cfg(test)]
pub(crate) mod fuzz;

pub use elements::{Elements, ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, elements, write_extensions};
pub use extension::{EXTENSIONS, Extension, ExtensionMap, ONE_BYTE_ID_MAX};
pub use header::{ExtensionBlock, RtpHeader};
pub use seq::{Unwrapper16, Unwrapper32, is_newer16, is_newer32};
pub use values::{
    AbsCaptureTime, AudioLevel, VideoOrientation, abs_send_time, parse_transport_sequence, transport_sequence,
};
