//! The works.

use std::fmt;

use clap::ValueEnum;

use super::{Context, catch_up, events, first_packet, placement, relay, steady};
use crate::bench::row::Row;

/// What a cluster can be measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Work {
    FirstPacket,
    Events,
    OneRoom,
    ManyRooms,
    Relay,
    CatchUp,
    Placement,
}

impl Work {
    /// All, in the order in which they are measured.
    pub(super) const ALL: &[Self] =
        &[Self::FirstPacket, Self::Events, Self::OneRoom, Self::ManyRooms, Self::Relay, Self::CatchUp, Self::Placement];

    pub(super) async fn measure(self, context: &Context) -> anyhow::Result<Row> {
        let name = self.to_string();
        match self {
            Self::FirstPacket => first_packet::measure(context, &name).await,
            Self::Events => events::measure(context, &name).await,
            Self::OneRoom => steady::measure(context, &name, steady::ONE_ROOM).await,
            Self::ManyRooms => steady::measure(context, &name, steady::MANY_ROOMS).await,
            Self::Relay => relay::measure(context, &name).await,
            Self::CatchUp => catch_up::measure(context, &name).await,
            Self::Placement => placement::measure(context, &name).await,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
