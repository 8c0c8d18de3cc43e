//! The consumers of a producer or of a transport.

use std::ops::Deref;

use crate::keys::ConsumerKey;

/// Consumers in the order in which they were made.
///
/// Their numbers lie beside the keys, so that one is found among many without a look at all: where a large room breaks
/// up, every one of its consumers is taken out of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConsumerList {
    keys: Vec<ConsumerKey>,
    numbers: Vec<u64>,
}

impl ConsumerList {
    /// Adds one whose number is higher than all before.
    pub(crate) fn push(&mut self, number: u64, key: ConsumerKey) {
        debug_assert!(self.numbers.last().is_none_or(|last| *last < number));
        self.keys.push(key);
        self.numbers.push(number);
    }

    /// Takes one out, if it is there.
    pub(crate) fn remove(&mut self, number: u64) {
        if let Ok(place) = self.numbers.binary_search(&number) {
            self.keys.remove(place);
            self.numbers.remove(place);
        }
    }

    /// Those from this number on, and their numbers.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = (u64, ConsumerKey)> {
        let start = self.numbers.partition_point(|other| *other < number);
        self.numbers[start..].iter().copied().zip(self.keys[start..].iter().copied())
    }
}

impl Deref for ConsumerList {
    type Target = [ConsumerKey];

    fn deref(&self) -> &[ConsumerKey] {
        &self.keys
    }
}

impl IntoIterator for ConsumerList {
    type Item = ConsumerKey;
    type IntoIter = std::vec::IntoIter<ConsumerKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter()
    }
}

impl<'a> IntoIterator for &'a ConsumerList {
    type Item = &'a ConsumerKey;
    type IntoIter = std::slice::Iter<'a, ConsumerKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_making_stays_whoever_goes() {
        let mut list = ConsumerList::default();
        // A key is used again.
        for (number, key) in [(1, 4), (3, 0), (7, 2), (8, 1), (12, 3)] {
            list.push(number, ConsumerKey(key));
        }
        for number in [3, 12, 5] {
            list.remove(number);
        }
        list.push(13, ConsumerKey(0));
        assert_eq!(list[..], [4, 2, 1, 0].map(ConsumerKey));
        assert_eq!(list.from(8).collect::<Vec<_>>(), [(8, ConsumerKey(1)), (13, ConsumerKey(0))]);
        assert_eq!(list.from(14).count(), 0);
    }
}
