//! What many sockets are told: encoded once for all of them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use engineioxide::Str;
use protocol::Notification;

use crate::packet;

/// A notification. Clones share it and its packet, which the first socket that sends it makes.
#[derive(Debug, Clone)]
pub struct News(Arc<Told>);

#[derive(Debug)]
struct Told {
    notification: Notification,
    packet: OnceLock<Option<Str>>,
}

impl News {
    /// As it goes to a socket; `None` if it cannot be JSON.
    pub(crate) fn packet(&self) -> Option<Str> {
        let encode = || {
            let (name, data) = self.0.notification.clone().into_event();
            packet::event(&name, &data).map(Str::from)
        };
        self.0.packet.get_or_init(encode).clone()
    }
}

impl Deref for News {
    type Target = Notification;

    fn deref(&self) -> &Notification {
        &self.0.notification
    }
}

impl From<Notification> for News {
    fn from(notification: Notification) -> Self {
        Self(Arc::new(Told { notification, packet: OnceLock::new() }))
    }
}

impl PartialEq for News {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_packet() {
        let news = News::from(Notification::AudioLevels { levels: Vec::new() });
        let packets = [news.clone(), news].map(|news| news.packet().expect("JSON"));
        assert_eq!(&*packets[0], r#"2["audioLevels",{"levels":[]}]"#);
        assert_eq!(packets[0].as_ptr(), packets[1].as_ptr());
    }
}
