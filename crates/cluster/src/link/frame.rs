//! Frames on a stream: the length in four bytes, most significant first, then so many bytes.

use bytes::{Bytes, BytesMut};
use quinn::{ReadExactError, RecvStream, SendStream, WriteError};

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFrameError {
    #[error("a frame of {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Stream(#[from] ReadExactError),
}

pub(super) async fn read(stream: &mut RecvStream, bytes_max: usize) -> Result<Bytes, ReadFrameError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(ReadFrameError::TooLarge(length));
    }
    let mut frame = BytesMut::zeroed(length);
    stream.read_exact(&mut frame).await?;
    Ok(frame.freeze())
}

pub(super) async fn write(stream: &mut SendStream, frame: Bytes) -> Result<(), WriteError> {
    let length = u32::try_from(frame.len()).expect("frames are small");
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_chunk(frame).await
}
