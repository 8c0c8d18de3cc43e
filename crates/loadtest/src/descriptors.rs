//! How many sockets a process may have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as it may be; the server that is started inherits it. What is more is refused when it is
/// opened, with a message.
pub(crate) fn allow_all() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
