//! Who in a group can be talked to: the usernames of our bots, and which messages are theirs.
//!
//! Both are remembered as they are seen, and usernames can be told; the messages are bounded, the oldest is forgotten first.

use std::collections::{HashSet, VecDeque};

use grammers_client::tl;
use shared_core::{ChannelId, MessageId};

use super::Ours;

/// A member who replies to something older than this has to say the bot's name.
const MAX_MESSAGES: usize = 8_192;

#[derive(Default)]
pub(in crate::telegram) struct Addressees {
    usernames: HashSet<String>,
    messages: HashSet<(ChannelId, MessageId)>,
    order: VecDeque<(ChannelId, MessageId)>,
}

impl Addressees {
    pub(in crate::telegram) fn add_username(&mut self, name: &str) {
        if !name.is_empty() {
            self.usernames.insert(name.to_lowercase());
        }
    }

    pub(super) fn add_message(&mut self, channel: ChannelId, message: MessageId) {
        let seen = (channel, message);
        if !self.messages.insert(seen) {
            return;
        }
        self.order.push_back(seen);
        if self.order.len() > MAX_MESSAGES
            && let Some(oldest) = self.order.pop_front()
        {
            self.messages.remove(&oldest);
        }
    }

    /// Remembers a message of this account, or of a bot of ours, when it is one.
    pub(in crate::telegram) fn note(&mut self, message: &tl::enums::Message, ours: &Ours) {
        let tl::enums::Message::Message(message) = message else {
            return;
        };
        let by_us = match &message.from_id {
            Some(tl::enums::Peer::User(from)) => ours.has(from.user_id),
            _ => false,
        };
        if let (true, tl::enums::Peer::Channel(peer)) = (by_us || message.out, &message.peer_id) {
            self.add_message(ChannelId(peer.channel_id), MessageId(message.id));
        }
    }

    pub(super) fn wrote(&self, channel: ChannelId, message: MessageId) -> bool {
        self.messages.contains(&(channel, message))
    }

    /// Is the text a command for us, or does it mention one of our bots? Read from the text: short updates carry no entities.
    pub(super) fn are_named_in(&self, text: &str) -> bool {
        if let Some(command) = text.split_whitespace().next().and_then(as_command) {
            return match command.split_once('@') {
                Some((_, bot)) => self.usernames.contains(&bot.to_lowercase()),
                None => true,
            };
        }
        text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '@'))
            .filter_map(|word| word.strip_prefix('@'))
            .any(|name| self.usernames.contains(&name.to_lowercase()))
    }
}

/// What follows the slash of a command.
fn as_command(word: &str) -> Option<&str> {
    let command = word.strip_prefix('/')?;
    command
        .starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_or_a_mention_is_for_us_unless_it_names_somebody_else() {
        let mut addressees = Addressees::default();
        addressees.add_username("Course_Bot");
        for ours in [
            "/submit",
            "/submit@course_bot now",
            "hello @course_bot!",
            "(@COURSE_BOT)",
        ] {
            assert!(addressees.are_named_in(ours), "{ours}");
        }
        for not_ours in [
            "hello",
            "/submit@another_bot @course_bot",
            "@course_bot2",
            "mail@course_bot",
            "/ 5",
            "1/2",
            "",
        ] {
            assert!(!addressees.are_named_in(not_ours), "{not_ours}");
        }
    }

    #[test]
    fn the_oldest_messages_are_forgotten() {
        let mut addressees = Addressees::default();
        let channel = ChannelId(1);
        for id in 0..=MAX_MESSAGES as i32 {
            addressees.add_message(channel, MessageId(id));
        }
        assert!(!addressees.wrote(channel, MessageId(0)));
        assert!(addressees.wrote(channel, MessageId(1)));
        assert_eq!(addressees.order.len(), MAX_MESSAGES);
    }
}
