//! What people were told is in the chat, and which nodes know it when the log loses it.

use std::collections::{BTreeMap, BTreeSet};

use cluster::Node;
use cluster::log::Entry;
use protocol::event::{Record, RoomEvent};

use super::room;

#[derive(Default)]
pub(crate) struct Ledger {
    /// Messages that were acknowledged, with where their room began.
    acknowledged: BTreeMap<String, Option<u64>>,
    /// Those of them that the log lost, with the nodes that have them in memory.
    endangered: BTreeMap<String, BTreeSet<usize>>,
    /// Messages of which nobody is left who knew them.
    pub(crate) lost: u64,
    /// Messages that the log lost and has again.
    pub(crate) salvaged: u64,
}

impl Ledger {
    pub(crate) fn acknowledge(&mut self, node: &Node, text: &str) {
        let created = node.room(&room()).and_then(room::Room::created);
        self.acknowledged.insert(text.to_owned(), created);
    }

    /// The log lost everything after `log`; `alive` are the nodes that run, or are frozen.
    pub(crate) fn cut<'a>(&mut self, log: &[Entry], alive: impl Iterator<Item = (usize, &'a Node)>) {
        let there: BTreeSet<String> = log.iter().filter_map(text).collect();
        let chats: Vec<(usize, BTreeSet<String>)> = alive.map(|(site, node)| (site, chat(node).collect())).collect();
        // What only a node knows that has not said so since the last time, may be gone for good.
        for text in std::mem::take(&mut self.endangered).into_keys() {
            self.acknowledged.remove(&text);
        }
        for text in self.acknowledged.keys().filter(|text| !there.contains(*text)) {
            let holders = chats.iter().filter(|(_, chat)| chat.contains(text)).map(|(site, _)| *site).collect();
            self.endangered.insert(text.clone(), holders);
        }
        self.forget_lost();
    }

    /// A node forgets everything.
    pub(crate) fn crashed(&mut self, site: usize) {
        for holders in self.endangered.values_mut() {
            holders.remove(&site);
        }
        self.forget_lost();
    }

    /// A node that has read all of the log, and nothing else, is so.
    pub(crate) fn is_read(&mut self, node: &Node) {
        if !self.endangered.is_empty() {
            let before = self.endangered.len();
            for text in chat(node) {
                self.endangered.remove(&text);
            }
            self.salvaged += (before - self.endangered.len()) as u64;
        }
    }

    /// Everything that was acknowledged in the room as it is now, and that somebody knew, is there once.
    pub(crate) fn check(&self, node: &Node) {
        let Some(room) = node.room(&room()) else { return };
        let texts: Vec<String> = chat(node).collect();
        let unique: BTreeSet<&String> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len(), "no message is there twice");
        for (text, _) in self.acknowledged.iter().filter(|(_, created)| **created == room.created()) {
            assert!(unique.contains(text), "{text} was acknowledged and is gone");
        }
    }

    fn forget_lost(&mut self) {
        let Self { acknowledged, endangered, lost, .. } = self;
        endangered.retain(|text, holders| {
            let is_lost = holders.is_empty() && acknowledged.remove(text).is_some();
            *lost += u64::from(is_lost);
            !holders.is_empty()
        });
    }
}

fn chat(node: &Node) -> impl Iterator<Item = String> {
    node.snapshot(&room()).into_iter().flat_map(|room| room.chat).map(|message| message.text)
}

fn text(entry: &Entry) -> Option<String> {
    match serde_json::from_slice::<Record>(&entry.value).expect("a record").event {
        RoomEvent::ChatSent { text } => Some(text),
        _ => None,
    }
}
