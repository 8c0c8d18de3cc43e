//! Which core a worker's thread runs on.

use std::io;
use std::mem::size_of;

/// Ties the calling thread to one of the cores that the process may use, chosen by the worker's index. Does nothing
/// on a machine of one core.
pub(crate) fn pin_current_thread(worker: usize) -> io::Result<()> {
    let allowed = allowed_cores()?;
    match allowed.len() {
        0 | 1 => Ok(()),
        cores => set_core(allowed[worker % cores]),
    }
}

#[allow(unsafe_code)]
fn allowed_cores() -> io::Result<Vec<usize>> {
    // SAFETY: `cpu_set_t` is an array of integers; zeroes are the empty set. The kernel writes at most the size that
    // it is told, and `CPU_ISSET` is asked for indices below the set's size only.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &set)).collect())
    }
}

#[allow(unsafe_code)]
fn set_core(core: usize) -> io::Result<()> {
    // SAFETY: as above; `core` came out of a set of the same size.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_use_one_core_only() {
        std::thread::spawn(|| {
            let before = allowed_cores().expect("the mask can be read");
            pin_current_thread(before.len() + 1).expect("a thread may narrow its own mask");
            let after = allowed_cores().expect("the mask can be read");
            assert_eq!(after, [before[1 % before.len()]]);
        })
        .join()
        .expect("the thread ends well");
    }
}
