//! What goes out: each member's next act, as soon as the pace admits it.

use rand::Rng;

use super::{Done, Driver};
use crate::control::{Chat, Content};
use crate::course::Input;
use crate::fault::Blows;
use crate::member::{Act, Place};

/// A chat takes about one message a second.
const THINK_MS: std::ops::Range<i64> = 1_050..1_700;
/// Toggling tags is quicker than writing.
const THINK_BRIEFLY_MS: i64 = 350;
/// After that, what he sent is taken for lost. The group's and the channels' queues are slow by Telegram's limits.
const PATIENCE_MS: i64 = 20_000;
const PATIENCE_SLOW_MS: i64 = 60_000;

impl Driver {
    pub(super) fn act_all(&mut self, now: i64) {
        self.start_standbys(now);
        self.lose_patience(now);
        self.look_for_the_bot(now);
        let mut ready: Vec<usize> = (0..self.members.len())
            .filter(|at| self.not_before[*at] <= now)
            .collect();
        ready.sort_by_key(|at| self.not_before[*at]);
        for at in ready {
            let Some(input) = self.members[at].next_input() else {
                continue;
            };
            if self.members[at].act(&input).is_none() {
                self.members[at].asks_for_prompt();
                self.not_before[at] = now + THINK_MS.end;
                continue;
            }
            if self.pace.admit(&self.members[at], &input, now) {
                self.carry_out(at, input, now);
            }
        }
    }

    /// All of them at one instant, whatever the pace says; made up for afterwards.
    pub(super) fn act_at_once(&mut self, members: &[usize], now: i64) {
        for at in members {
            let Some(input) = self.members[*at].next_input() else {
                continue;
            };
            if self.members[*at].act(&input).is_some() {
                self.pace.force(&self.members[*at], &input);
                self.carry_out(*at, input, now);
            }
        }
    }

    /// He needs a moment before his next act.
    pub(super) fn think(&mut self, at: usize, now: i64) {
        let pause = match self.members[at].next_input() {
            Some(Input::ToggleTag(_)) => THINK_BRIEFLY_MS,
            _ => self.rng.random_range(THINK_MS),
        };
        self.not_before[at] = now + pause;
    }

    fn carry_out(&mut self, at: usize, input: Input, now: i64) {
        let Some(act) = self.members[at].act(&input) else {
            return;
        };
        let entry = self.members[at].begin(input, now);
        self.not_before[at] = now + THINK_BRIEFLY_MS;
        let (control, id, group) = (self.control.clone(), self.members[at].id, self.group);
        let chat = match self.members[at].place {
            Place::Private => Chat::Bot(self.members[at].bot),
            Place::Group(_) => Chat::Channel(group),
        };
        self.tasks.spawn(async move {
            match act {
                Act::Start { bot, payload } => {
                    let result = control.start(id, bot, payload).await;
                    Done::Sent {
                        member: at,
                        entry,
                        result,
                    }
                }
                Act::Say { text, reply_to } => {
                    let result = control.send(id, chat, &Content::Text(text), reply_to).await;
                    Done::Sent {
                        member: at,
                        entry,
                        result,
                    }
                }
                Act::SendFile { name, reply_to } => {
                    let bytes = 20_000 + 10 * u64::try_from(at).unwrap_or(0);
                    let result = control
                        .send(id, chat, &Content::Document { name, bytes }, reply_to)
                        .await;
                    Done::Sent {
                        member: at,
                        entry,
                        result,
                    }
                }
                Act::Press { bot, message, data } => {
                    let chat = if matches!(chat, Chat::Bot(_)) {
                        Chat::Bot(bot)
                    } else {
                        chat
                    };
                    let result = control.press(id, chat, message, &data).await;
                    Done::Pressed {
                        member: at,
                        entry,
                        result,
                    }
                }
            }
        });
    }

    fn start_standbys(&mut self, now: i64) {
        while !self.starts.is_empty() && self.pace.starts.has(now) {
            let Some((at, bot)) = self.starts.pop_front() else {
                return;
            };
            self.pace.starts.take();
            let (control, id) = (self.control.clone(), self.members[at].id);
            self.tasks.spawn(async move {
                Done::Started {
                    result: control.start(id, bot, None).await,
                }
            });
        }
    }

    fn lose_patience(&mut self, now: i64) {
        let blows = self.blows;
        for (at, member) in self.members.iter_mut().enumerate() {
            let Some(entry) = member.ledger.waiting() else {
                continue;
            };
            // Whom a bot that fell silent owes an answer waits until somebody speaks to him.
            let struck = blows.iter().flat_map(Blows::iter).any(|blow| {
                let spoken_to = |at: i64| at > blow.at_ms;
                blow.kind.hits_the_holder()
                    && entry.to == Some(blow.bot)
                    && !member.resumptions.iter().any(|one| spoken_to(one.at_ms))
            });
            if struck {
                continue;
            }
            let slow =
                !member.is_private() || matches!(entry.input, Input::File(_) | Input::Submit);
            let patience = if slow { PATIENCE_SLOW_MS } else { PATIENCE_MS };
            if now - entry.sent_ms > patience {
                member.lose_patience();
                self.not_before[at] = now;
            }
        }
    }
}
