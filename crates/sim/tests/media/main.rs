//! Calls through the SFU in virtual time, one behaviour per file.

mod rooms_of_eight;
