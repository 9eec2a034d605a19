//! What comes in: the simulator's log wakes us, a look into the person's own view of the chat tells what he received.

use anyhow::{Result, bail};
use sandbox::clock::unix_ms;
use sandbox::control::{Chat, Control, ControlError, Event, PRESS_TIMEOUT, Page, Viewed};
use sandbox::ledger::Fate;
use sandbox::member::{Button, Heard, Place};
use sandbox::texts;
use tokio::sync::mpsc;

use super::{Crowd, Done};

const KINDS: &str = "message_sent,message_edited";
const POLL_MS: u64 = 1_000;
/// What Telegram says to a press of a keyboard that was drawn anew and is shown so a moment later: nothing happened, and he presses again.
const DRAWN_ANEW: &str = "DATA_INVALID";
/// What Telegram says to whoever writes to a bot that is gone.
const GONE: [&str; 3] = ["INPUT_USER_DEACTIVATED", "USER_DEACTIVATED", "BOT_INVALID"];

/// Reads the log until the crowd is gone.
pub(super) async fn poll(control: Control, pages: mpsc::Sender<Result<Page, ControlError>>) {
    let mut after = 0;
    loop {
        let page = control.events(after, POLL_MS, KINDS).await;
        let failed = page.is_err();
        if let Ok(page) = &page {
            after = page.next;
        }
        if pages.send(page).await.is_err() || failed {
            return;
        }
    }
}

impl Crowd {
    pub(super) fn take_page(&mut self, page: Page) -> Result<()> {
        if page.missed > 0 {
            bail!("{} entries of the log were not read in time", page.missed);
        }
        for event in page.events {
            self.offset_ms = event.unix_ms - event.at_ms;
            if event.flag("bot") {
                self.look(&event, event.kind == "message_edited");
            }
        }
        Ok(())
    }

    pub(super) fn take_done(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Sent {
                person,
                entry,
                result,
            } => match result {
                Ok(sent) => {
                    let message = sent.message_ids.first().copied().unwrap_or(0);
                    let member = &mut self.people[person].member;
                    member.accepted(entry, message, sent.unix_ms);
                    if let Some(entry) = member.ledger.entries.get_mut(entry) {
                        entry.received = sent.received.first().copied();
                    }
                }
                Err(error) => self.refused(person, entry, &error),
            },
            Done::Pressed {
                person,
                entry,
                result,
            } => match result {
                Ok(answer) if answer.message.as_deref().is_some_and(texts::is_of_a_backup) => {
                    let speaks = self.speaks.map(|(bot, _)| bot);
                    self.people[person].press_turned_away(entry, unix_ms(), speaks);
                    self.think(person, unix_ms());
                }
                Ok(answer) => {
                    let member = &mut self.people[person].member;
                    member.press_answered(entry, answer.message.as_deref());
                    // What he did before has had its effect: the same thing a moment later.
                    if member.ledger.waiting().is_none() {
                        self.think(person, unix_ms());
                    }
                }
                Err(error) if matches!(error.name(), PRESS_TIMEOUT | DRAWN_ANEW) => {
                    let speaks = self.speaks.map(|(bot, _)| bot);
                    self.people[person].press_timed_out(entry, speaks);
                }
                Err(error) => self.refused(person, entry, &error),
            },
            Done::Viewed {
                person,
                chat,
                edited,
                result,
            } => self.show(person, chat, edited, result?),
            Done::Started(result) => {
                self.starting -= 1;
                if let Err(error) = result
                    && !GONE.contains(&error.name())
                {
                    bail!("a bot could not be started: {error}");
                }
            }
        }
        Ok(())
    }

    /// Telegram did not take it, so nobody got it. Of a bot that is gone people know what that means.
    fn refused(&mut self, person: usize, entry: usize, error: &ControlError) {
        let speaks = self.speaks;
        let member = &mut self.people[person].member;
        if !GONE.contains(&error.name()) {
            return member.refused(entry, &error.to_string());
        }
        if let Some(entry) = member.ledger.entries.get_mut(entry) {
            entry.fate = Fate::Refused;
        }
        if let Some((bot, _)) = speaks {
            member.moves_to(bot);
        }
        if member.upload.is_open() {
            member.asks_for_prompt();
        }
        self.think(person, unix_ms());
    }

    /// A bot wrote or edited: whose view is it in?
    fn look(&mut self, event: &Event, edited: bool) {
        let Some((id, chat, message)) = event.in_view(self.group) else {
            return;
        };
        // Of the group the first one's view is as good as any.
        let Some(person) = id.map_or(Some(0), |id| self.by_id.get(&id).copied()) else {
            return;
        };
        let seen = self.seen.get(&(person, chat)).copied().unwrap_or(0);
        let edited = message.filter(|_| edited);
        let after = edited.map_or(seen, |message| seen.min(message - 1));
        let (control, id) = (self.control.clone(), self.people[person].member.id);
        self.tasks.spawn(async move {
            let result = control.view(id, chat, after).await;
            Done::Viewed {
                person,
                chat,
                edited,
                result,
            }
        });
    }

    /// Shows what is in his view and was not shown yet.
    fn show(&mut self, viewer: usize, chat: Chat, edited: Option<i64>, messages: Vec<Viewed>) {
        for message in messages {
            if !self.bots.contains(&message.from) {
                continue;
            }
            let seen = self.seen.entry((viewer, chat)).or_insert(0);
            let is_new = message.id > *seen;
            *seen = message.id.max(*seen);
            let version = message.edited_at_ms.unwrap_or(0);
            let shown = self
                .versions
                .entry((viewer, chat, message.id))
                .or_insert(version);
            if *shown > version {
                continue;
            }
            *shown = version;
            let Some(person) = self.addressee(viewer, chat, &message) else {
                continue;
            };
            let heard = self.heard(message);
            if is_new {
                self.hear(person, &heard);
            } else if edited == Some(heard.message) {
                self.people[person].member.hear_edit(&heard);
                self.last_heard_ms = unix_ms();
            }
        }
    }

    fn hear(&mut self, person: usize, heard: &Heard) {
        let now = unix_ms();
        if texts::read(&heard.text).is_conversation() {
            let since = self.speaks.filter(|(bot, _)| *bot == heard.bot);
            self.speaks = Some((heard.bot, since.map_or(now, |(_, since)| since)));
        }
        let speaks = self.speaks.map(|(bot, _)| bot);
        self.people[person].hear(heard, speaks);
        self.last_heard_ms = now;
        self.think(person, now);
    }

    fn heard(&self, message: Viewed) -> Heard {
        let buttons = message.keyboard.into_iter().flatten().flatten();
        let buttons = buttons.filter_map(|button| {
            Some(Button {
                text: button.text,
                data: button.data?,
            })
        });
        Heard {
            bot: message.from,
            message: message.id,
            at_ms: self.unix_ms(message.at_ms),
            buttons: buttons.collect(),
            text: message.text,
        }
    }

    /// In the group: by the line that names him, or by the message that is quoted.
    fn addressee(&self, viewer: usize, chat: Chat, message: &Viewed) -> Option<usize> {
        if matches!(chat, Chat::Bot(_)) {
            return Some(viewer);
        }
        let mut lines = message.text.lines();
        let named = lines.find_map(|line| {
            let name = line.strip_prefix("For ")?;
            self.by_name.get(name.trim()).copied()
        });
        named.or_else(|| {
            let quoted = message.reply_to?;
            (0..self.people.len()).find(|at| {
                let member = &self.people[*at].member;
                let mut entries = member.ledger.entries.iter().rev();
                matches!(member.place, Place::Group(_))
                    && entries.any(|entry| entry.message == Some(quoted))
            })
        })
    }
}
