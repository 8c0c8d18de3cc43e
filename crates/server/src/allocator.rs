//! The allocator of the process: jemalloc, because glibc's keeps what a burst of rooms left in pieces
//! (docs/decisions/0003-allocator.md).

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static JEMALLOC: Jemalloc = Jemalloc;

/// jemalloc's settings, which it reads from this symbol; `_RJEM_MALLOC_CONF` in the environment goes over them. Unused
/// pages go back to the system after a second, by one thread of jemalloc's own, so that an idle server gets small too.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 85] = b"background_thread:true,max_background_threads:1,dirty_decay_ms:1000,muzzy_decay_ms:0\0";
