//! The hyperion server: configuration, composition, metrics, shutdown. The only crate that knows all others.

pub mod addresses;
pub mod banner;
pub mod conductor;
pub mod config;
pub mod drain;
pub mod exposition;
pub mod histogram;
pub mod http;
mod https;
pub mod ice_servers;
pub mod origins;
pub mod phase;
mod proxies;
mod secret;
pub mod server;
pub mod tcp;
pub mod tls;
pub mod tokens;
