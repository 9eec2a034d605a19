//! How far a checkpoint is: the cursors that its states cover, who answered, and the bots' last words. JSON in one column, because it is written and
//! read whole.

use serde::{Deserialize, Serialize};
use shared_core::{BotId, Epoch, Phase};

use crate::redis::{PrivateCursor, Resumption, Sources, Words};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// `c8`, pts
    channels: Vec<(String, i32)>,
    /// bot, pts, qts, date
    boxes: Vec<(BotId, i32, i32, i32)>,
    /// Who shows the open conversations or was the last to do so, in which epoch, whether that is done, and who answered before.
    resumed: Option<(BotId, u64, bool, Option<BotId>)>,
    /// Who answers, or did last.
    active: Option<BotId>,
    epoch: u64,
    /// What each bot's latest acknowledged messages are known by.
    told: Words,
}

impl Place {
    pub fn of(sources: &Sources) -> Self {
        let boxes = sources.boxes.iter();
        let record = sources.epoch.as_ref();
        // Whoever is only being tested has not answered.
        let open = record.filter(|record| record.phase == Phase::Open);
        let holder = open.and_then(|record| record.holder.as_ref());
        Self {
            channels: sources.channels.clone(),
            boxes: boxes
                .map(|(bot, at)| (*bot, at.pts, at.qts, at.date))
                .collect(),
            resumed: sources
                .resumed
                .map(|it| (it.bot, it.epoch.0, it.done, it.before)),
            active: holder
                .map(|holder| holder.bot)
                .or(record.and_then(|record| record.previous_bot)),
            epoch: record.map_or(0, |record| record.stamp.epoch.0),
            told: Vec::new(),
        }
    }

    /// The same with these words, which change with every message and are no reason to write anything by themselves.
    pub fn with(&self, told: &Words) -> Self {
        Self {
            told: told.clone(),
            ..self.clone()
        }
    }

    pub fn to_json(&self) -> String {
        // Plain data: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// One of a later program may have more, and what this one knows it finds.
    pub fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub fn channels(&self) -> &[(String, i32)] {
        &self.channels
    }

    pub fn boxes(&self) -> Vec<(BotId, PrivateCursor)> {
        let boxes = self.boxes.iter();
        boxes
            .map(|(bot, pts, qts, date)| {
                let (pts, qts, date) = (*pts, *qts, *date);
                (*bot, PrivateCursor { pts, qts, date })
            })
            .collect()
    }

    pub fn resumed(&self) -> Option<Resumption> {
        self.resumed.map(|(bot, epoch, done, before)| Resumption {
            bot,
            epoch: Epoch(epoch),
            done,
            before,
        })
    }

    pub fn active(&self) -> Option<BotId> {
        self.active
    }

    pub fn told(&self) -> &[(BotId, Vec<String>)] {
        &self.told
    }

    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }
}
