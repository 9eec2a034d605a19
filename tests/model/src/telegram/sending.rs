//! What bots send: shown once per `random_id`, to members who have started the bot, and to everybody in the group.

use shared_core::{
    BotId, Button, ConversationKey, Echo, EntryId, ErrorClass, Keyboard, MessageId, Print,
    SendTarget, UnixMs,
};

use super::{Refused, Telegram, Update, What, box_of, log_of};
use crate::ghost::Ghost;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Say {
    pub target: SendTarget,
    pub print: Print,
    /// Whose it is, and what its buttons say when pressed.
    pub conversation: ConversationKey,
    pub buttons: Vec<String>,
    pub random_id: i64,
    /// The reply that it is, and whose words they are; the model's own.
    pub entry: Option<EntryId>,
    pub by: Option<BotId>,
}

/// How one of the bot's own messages is to look.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub conversation: ConversationKey,
    pub message: (SendTarget, MessageId),
    pub print: Option<Print>,
    pub buttons: Vec<String>,
}

/// What is under a message, as far as it can be pressed.
pub fn buttons_of(keyboard: Option<&Keyboard>) -> Vec<String> {
    let buttons = keyboard.iter().flat_map(|keyboard| &keyboard.0).flatten();
    let data = buttons.filter_map(|button| match button {
        Button::Press { data, .. } => Some(data.clone()),
        Button::Link { .. } => None,
    });
    data.collect()
}

impl Telegram {
    fn scope(&self, bot: BotId, connection: usize) -> u64 {
        match self.by_login {
            true => self.connections[connection].key,
            false => 1_000_000 + bot.0.unsigned_abs(),
        }
    }

    fn may_write(&self, bot: BotId, target: SendTarget) -> Result<(), Refused> {
        match target {
            SendTarget::Member(member) if !self.people.has_started(bot, member) => {
                Err(Refused(ErrorClass::Recipient))
            }
            _ => Ok(()),
        }
    }

    /// Shows a message, unless its `random_id` was shown before. The update that it makes is to be pushed.
    pub fn say(
        &mut self,
        ghost: &mut Ghost,
        bot: BotId,
        connection: usize,
        say: &Say,
        now: UnixMs,
    ) -> Result<(MessageId, Option<Update>), Refused> {
        self.may_write(bot, say.target)?;
        let known = (self.scope(bot, connection), say.random_id);
        if self.random.contains_key(&known) {
            return Err(Refused(ErrorClass::SentAlready));
        }
        let r#box = box_of(bot, say.target);
        let message = self.next_message(r#box);
        self.random.insert(known, Some(message));
        ghost.shows(say.entry, say.by.is_some_and(|by| by != bot));
        self.people
            .sees(say.conversation, bot, r#box, message, say.buttons.clone());
        let echo = Echo {
            chat: say.target,
            message,
            // Telegram's dates are whole seconds.
            date: UnixMs(now.0 / 1000 * 1000),
            print: say.print,
        };
        let update = self.append(r#box, What::Own(bot, echo));
        Ok((message, Some(update)))
    }

    /// Changes one of the bot's own messages. From here on its box gives it out as it looks now.
    pub fn edit(&mut self, bot: BotId, drawn: Drawn) -> Result<(), Refused> {
        let (chat, message) = drawn.message;
        let key = drawn.conversation;
        if !self.people.edits(key, bot, message, drawn.buttons) {
            return Err(Refused(ErrorClass::Unreachable));
        }
        let updates = &mut self.logs[log_of(box_of(bot, chat))].updates;
        let own = updates.iter_mut().filter_map(|it| match &mut it.what {
            What::Own(by, echo) if *by == bot && echo.message == message => Some(echo),
            _ => None,
        });
        for echo in own {
            echo.print = drawn.print.unwrap_or(echo.print);
        }
        Ok(())
    }

    /// Copies a member's file into the storage channel.
    pub fn copy(
        &mut self,
        bot: BotId,
        connection: usize,
        random_id: i64,
    ) -> Result<MessageId, Refused> {
        let known = (self.scope(bot, connection), random_id);
        if self.random.contains_key(&known) {
            return Err(Refused(ErrorClass::SentAlready));
        }
        self.copies += 1;
        let message = MessageId(self.copies);
        self.random.insert(known, Some(message));
        Ok(message)
    }
}
