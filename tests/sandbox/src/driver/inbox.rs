//! What comes in: the simulator's log wakes us, a look into the member's own view of the chat tells what he received.

use tokio::sync::mpsc;

use super::{Done, Driver, POLL_MS};
use crate::clock::unix_ms;
use crate::control::{Chat, Control, ControlError, Event, PRESS_TIMEOUT, Page, Viewed};
use crate::fault::FaultKind;
use crate::member::{Button, Heard, Place};
use crate::texts::is_of_a_backup;
use crate::view::{Tone, View};

/// Reads the log until the driver is gone.
pub(super) async fn poll(
    control: Control,
    pages: mpsc::Sender<Result<Page, ControlError>>,
) -> Done {
    let mut after = 0;
    loop {
        let page = control.events(after, POLL_MS, super::KINDS).await;
        let failed = page.is_err();
        if let Ok(page) = &page {
            after = page.next;
        }
        if pages.send(page).await.is_err() || failed {
            return Done::Failed {
                error: anyhow::anyhow!("the event log is not read any more"),
            };
        }
    }
}

impl Driver {
    pub(super) fn take_page(&mut self, page: Page, view: &mut View) {
        for event in page.events {
            self.offset_ms = event.unix_ms - event.at_ms;
            match event.kind.as_str() {
                "message_sent" if event.flag("bot") => self.look(&event, false),
                "message_edited" if event.flag("bot") => self.look(&event, true),
                "message_sent" => self.logged(&event),
                "fault_fired" => self.fired(&event, view),
                "connection_closed" => self.closed(&event),
                "flood_wait" => {
                    self.flood_waits += 1;
                    if self.flood_waits == 1 {
                        view.line(Tone::Alarm, "Telegram told a bot to wait: the members talk faster than it may answer");
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn take_done(&mut self, done: Done, view: &mut View) -> anyhow::Result<()> {
        match done {
            Done::Sent {
                member,
                entry,
                result: Ok(sent),
            } => {
                let message = sent.message_ids.first().copied().unwrap_or(0);
                self.members[member].accepted(entry, message, sent.unix_ms);
                if let Some(seq) = self.logged.get(&(member, message)) {
                    self.members[member].logged(message, *seq);
                }
            }
            Done::Sent {
                member,
                entry,
                result: Err(error),
            } => self.members[member].refused(entry, error.name()),
            Done::Pressed {
                member,
                entry,
                result: Ok(answer),
            } => match answer.message.as_deref() {
                Some(word) if is_of_a_backup(word) => {
                    self.members[member].press_turned_away(entry, unix_ms());
                }
                word => self.members[member].press_answered(entry, word),
            },
            Done::Pressed {
                member,
                entry,
                result: Err(error),
            } if error.name() == PRESS_TIMEOUT => {
                self.members[member].press_timed_out(entry);
            }
            Done::Pressed {
                member,
                entry,
                result: Err(error),
            } => self.members[member].refused(entry, error.name()),
            Done::Viewed {
                member,
                chat,
                edited,
                result,
            } => self.show(member, chat, edited, result?, view),
            Done::Started { result } => {
                result?;
                self.last_progress_ms = unix_ms();
            }
            Done::Struck { plan, bot, at_ms } => self.struck(&plan, bot, at_ms, None, view),
            Done::Missed { kind } => self.missed(kind),
            Done::Failed { error } => return Err(error),
            Done::Nothing => {}
        }
        Ok(())
    }

    /// A member's own message: its place in the log. The entry gets it when both are known.
    fn logged(&mut self, event: &Event) {
        let member = event
            .number("account")
            .and_then(|id| self.by_id.get(&id).copied());
        let (Some(member), Some(message)) = (member, event.number("message_id")) else {
            return;
        };
        self.logged.insert((member, message), event.seq);
        self.members[member].logged(message, event.seq);
    }

    /// A bot wrote or edited: whose view is it in?
    fn look(&mut self, event: &Event, edited: bool) {
        let Some((id, chat, message)) = event.in_view(self.group) else {
            return;
        };
        // Of the group the first one's view is as good as any.
        let Some(member) = id.map_or(Some(0), |id| self.by_id.get(&id).copied()) else {
            return;
        };
        let seen = self.seen.get(&(member, chat)).copied().unwrap_or(0);
        let edited = message.filter(|_| edited);
        let after = edited.map_or(seen, |message| seen.min(message - 1));
        let (control, id) = (self.control.clone(), self.members[member].id);
        self.tasks.spawn(async move {
            let result = control.view(id, chat, after).await;
            Done::Viewed {
                member,
                chat,
                edited,
                result,
            }
        });
    }

    /// Shows the member what is in his view and was not shown yet.
    fn show(
        &mut self,
        viewer: usize,
        chat: Chat,
        edited: Option<i64>,
        messages: Vec<Viewed>,
        view: &mut View,
    ) {
        for message in messages {
            if !self.bots.iter().any(|(bot, _)| *bot == message.from) {
                continue;
            }
            let seen = self.seen.entry((viewer, chat)).or_insert(0);
            let is_new = message.id > *seen;
            *seen = message.id.max(*seen);
            if is_new && matches!(chat, Chat::Channel(_)) {
                self.see_announcement(&message);
            }
            let Some(member) = self.addressee(viewer, chat, &message) else {
                continue;
            };
            if is_new && matches!(chat, Chat::Bot(_)) {
                self.see_invitation(member, &message);
            }
            let heard = self.heard(message);
            if is_new {
                self.hear(member, &heard, view);
            } else if edited == Some(heard.message) {
                self.members[member].hear_edit(&heard);
                self.last_progress_ms = unix_ms();
            }
        }
    }

    fn heard(&self, message: Viewed) -> Heard {
        let buttons = message.keyboard.into_iter().flatten().flatten();
        Heard {
            bot: message.from,
            message: message.id,
            at_ms: message.at_ms + self.offset_ms,
            text: message.text,
            buttons: buttons
                .filter_map(|button| {
                    Some(Button {
                        text: button.text,
                        data: button.data?,
                    })
                })
                .collect(),
        }
    }

    /// In the group: by the line that names him, or by the message that is quoted.
    fn addressee(&self, viewer: usize, chat: Chat, message: &Viewed) -> Option<usize> {
        if matches!(chat, Chat::Bot(_)) {
            return Some(viewer);
        }
        let named = message
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("For "));
        let named = named
            .filter_map(|name| self.by_name.get(name.trim()).copied())
            .next();
        named.or_else(|| {
            let quoted = message.reply_to?;
            let in_group = |at: &usize| self.members[*at].place == Place::Group(self.group);
            (0..self.members.len()).filter(in_group).find(|at| {
                self.members[*at]
                    .ledger
                    .entries
                    .iter()
                    .any(|entry| entry.message == Some(quoted))
            })
        })
    }

    fn hear(&mut self, at: usize, heard: &Heard, view: &mut View) {
        let now = unix_ms();
        let before = self.members[at].received.len();
        self.members[at].hear(heard);
        self.last_progress_ms = now;
        self.think(at, now);
        let Some(blows) = self.blows else { return };
        if self.members[at].received.len() == before || heard.at_ms <= blows.first.quiet_ms {
            return;
        }
        self.heard_since_fault += 1;
        if self.heard_since_fault == 1 {
            let bot = self
                .bots
                .iter()
                .find(|(bot, _)| *bot == heard.bot)
                .map_or("a bot", |(_, name)| name.as_str());
            view.line_at(
                heard.at_ms,
                Tone::Good,
                &format!(
                    "{bot} speaks: {} is the first to hear",
                    self.members[at].name
                ),
            );
        }
    }

    /// The struck worker's connection is gone: nothing that comes now is its work.
    fn closed(&mut self, event: &Event) {
        let Some(blows) = &mut self.blows else { return };
        let blow = blows.then.as_mut().unwrap_or(&mut blows.first);
        if blow.kind == FaultKind::KillWorker
            && event.number("account") == Some(blow.bot)
            && blow.quiet_ms == blow.at_ms
            && event.unix_ms >= blow.at_ms
        {
            blow.quiet_ms = event.unix_ms;
        }
    }
}
