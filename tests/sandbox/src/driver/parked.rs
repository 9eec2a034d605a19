//! Members whom the bot that took over may not write to: some follow the link that they are shown and press Start, the others wait to the end.
//!
//! Those who wait are called up once all is over, before the judgement: each presses Start and has to be shown where he stood. They do
//! not go on; their conversations count as parked.

use anyhow::Result;

use super::{Done, Driver};
use crate::clock::unix_ms;
use crate::control::Viewed;
use crate::course::Input;
use crate::member::Parking;
use crate::texts::{Link, link};
use crate::view::{Tone, View};

/// Who was not spoken to by the new bot goes and looks for it.
const SEARCH_AFTER_MS: i64 = 3_000;
/// Without an announcement he asks around, and finds it without a link.
const ASKS_AFTER_MS: i64 = 20_000;
/// Of three whom nobody may write to, one does not follow the link.
const STAYS: usize = 3;
/// Those who are called up press Start one after the other.
const CALLED_EVERY_MS: i64 = 40;
const CALLED_WITHIN_MS: i64 = 40_000;

/// What brings a member to a bot after a switch.
const GO_ON: &str = "go";
/// What an invitation's link brings along.
const BACKUP: &str = "backup";

impl Driver {
    /// Whether the one with this rank among the unreached waits to the end.
    pub(super) fn waits_to_the_end(rank: usize) -> bool {
        rank % STAYS == STAYS - 1
    }

    /// The announcement in the group is what everybody sees.
    pub(super) fn see_announcement(&mut self, message: &Viewed) {
        let links = message.urls().filter_map(link);
        for Link { username, payload } in links.filter(|link| link.payload == Some(GO_ON)) {
            let named = format!("@{username}");
            if let Some((bot, _)) = self.bots.iter().find(|(_, name)| *name == named) {
                self.announced = Some((*bot, payload.map(str::to_owned)));
            }
        }
    }

    /// One of two members follows the links of an invitation.
    pub(super) fn see_invitation(&mut self, at: usize, message: &Viewed) {
        let links: Vec<Link<'_>> = message.urls().filter_map(link).collect();
        let invites = |link: &&Link<'_>| link.payload == Some(BACKUP);
        if !links.iter().any(|link| invites(&link)) {
            return;
        }
        self.members[at].hear_invitation();
        if !at.is_multiple_of(2) {
            return;
        }
        for link in links.iter().filter(invites) {
            let named = format!("@{}", link.username);
            let Some((bot, _)) = self.bots.iter().find(|(_, name)| *name == named) else {
                continue;
            };
            let (control, id, bot) = (self.control.clone(), self.members[at].id, *bot);
            self.tasks.spawn(async move {
                Done::Started {
                    result: control.start(id, bot, Some(BACKUP)).await,
                }
            });
        }
    }

    /// A member whom the new bot may not write to presses Start there, as its announcement says, or does not.
    pub(super) fn look_for_the_bot(&mut self, now: i64) {
        let last = self.blows.and_then(|blows| blows.iter().last().copied());
        let Some(last) = last.filter(|blow| now - blow.at_ms > SEARCH_AFTER_MS) else {
            return;
        };
        let heard = self.members.iter().flat_map(|member| &member.received);
        let after = heard.filter(|(_, at)| *at > last.quiet_ms);
        let Some((bot, _)) = after.max_by_key(|(_, at)| *at).copied() else {
            return;
        };
        let link = self.announced.clone().filter(|(named, _)| *named == bot);
        for (rank, at) in self.unreached.clone().into_iter().enumerate() {
            let member = &mut self.members[at];
            if member.bot == bot || member.upload.is_over() || member.parking != Parking::No {
                continue;
            }
            if Self::waits_to_the_end(rank) {
                member.parking = Parking::Waits;
                continue;
            }
            let payload = match &link {
                Some((_, payload)) => payload.clone(),
                None if now - last.at_ms > ASKS_AFTER_MS => None,
                None => continue,
            };
            if !self.parked.contains(&member.number) {
                self.parked.push(member.number);
            }
            self.press_start(at, bot, payload, now);
        }
    }

    fn press_start(&mut self, at: usize, bot: i64, payload: Option<String>, now: i64) {
        let member = &mut self.members[at];
        member.moves_to(bot);
        let entry = member.begin(Input::Resume, now);
        let (control, id) = (self.control.clone(), member.id);
        self.tasks.spawn(async move {
            Done::Sent {
                member: at,
                entry,
                result: control.start(id, bot, payload.as_deref()).await,
            }
        });
    }

    /// Nothing that was parked is lost: whoever still waits is shown where he stands when he comes.
    pub async fn call_up(&mut self, view: &mut View) -> Result<()> {
        let waiting: Vec<usize> = (0..self.members.len())
            .filter(|at| self.members[*at].parking == Parking::Waits)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let heard = self.members.iter().flat_map(|member| &member.received);
        let Some((bot, _)) = heard.max_by_key(|(_, at)| *at).copied() else {
            return Ok(());
        };
        view.line(
            Tone::Plain,
            &format!(
                "{} whom nobody may write to are still waiting; each presses Start now",
                waiting.len()
            ),
        );
        for at in &waiting {
            let until = unix_ms() + CALLED_EVERY_MS;
            self.waited.push(self.members[*at].number);
            self.members[*at].parking = Parking::LooksOnly;
            self.press_start(*at, bot, Some(GO_ON.to_owned()), unix_ms());
            while unix_ms() < until {
                self.turn(view).await?;
            }
        }
        let deadline = unix_ms() + CALLED_WITHIN_MS;
        let is_waiting = |driver: &Self| {
            let members = waiting.iter().map(|at| &driver.members[*at]);
            members
                .filter(|member| member.ledger.waiting().is_some())
                .count()
        };
        while is_waiting(self) > 0 && unix_ms() < deadline {
            self.turn(view).await?;
        }
        Ok(())
    }
}
