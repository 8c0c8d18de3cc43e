//! The signalling server as clients see it: raw HTTP, Engine.IO and Socket.IO frames over real sockets, well
//! and badly behaved. What is behind the server is `support::Room`.

mod close;
mod connect;
mod join;
mod origin;
mod polling;
mod requests;
mod support;
