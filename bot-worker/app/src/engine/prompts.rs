//! Which messages are a conversation's own prompts, as far as this tenure has said them itself.
//!
//! A press says under which message it was and what the button said, and both are whatever its client likes: with a live button of his own a member could
//! have any message of the bot's drawn over, another member's prompt or an announcement. So only what is known to be his own prompt is edited.
//!
//! ```text
//! the lane, once it is committed      these entries bring prompts to this conversation
//! the sender, once Telegram answers   this entry became that message
//! the lane, before it commits         is the pressed message one of them? else the prompt is said anew
//! ```
//! What is not known here (a prompt of before the tenure, an answer without an id) is not his in a group; in private it is, because that chat is his own.
//! Invariants: bounded memory; nothing of it is stored, so it costs a conversation no byte and a step no look at Redis.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use bot_worker_core::Taken;
use shared_core::{Button, ConversationKey, MessageId, OutboxEntry, OutboxKind, PlaceKey, Told};
use shared_io::redis::OutboxPosition;
use tokio::sync::Notify;

use crate::status::lock;

/// Messages of a conversation: its prompt, the same said anew, and the one before that is closed with its choice.
const OWN: usize = 4;
/// Conversations in a generation, of which there are two.
const GENERATION: usize = 10_000;
/// Prompts that were committed and not answered for yet. What is dropped on its way stays among them until later ones push it out.
const LEAVING: usize = 10_000;
/// Answers that came before the lane was told of its commit: a matter of microseconds.
const EARLY: usize = 256;
/// A member may see his prompt, and press, before its sender has the answer.
const SOON: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Prompts {
    known: Mutex<Known>,
    answered: Notify,
}

#[derive(Default)]
struct Known {
    young: HashMap<ConversationKey, Own>,
    old: HashMap<ConversationKey, Own>,
    leaving: BTreeMap<OutboxPosition, ConversationKey>,
    early: VecDeque<(OutboxPosition, Option<Told>)>,
}

#[derive(Default)]
struct Own {
    messages: VecDeque<MessageId>,
    on_their_way: usize,
    /// One of them is a message whose id nobody told.
    has_unknown: bool,
}

impl Prompts {
    /// What this commit brings stands in the outbox.
    pub fn committed(
        &self,
        key: ConversationKey,
        entries: &[OutboxEntry],
        positions: &[OutboxPosition],
    ) {
        let prompts = entries.iter().zip(positions).filter(|(it, _)| asks(it));
        let mut known = lock(&self.known);
        prompts.for_each(|(_, position)| known.leaves(*position, key));
    }

    /// The sender is done with an entry, and this is the message that it became, where it became one.
    pub fn answered(&self, position: OutboxPosition, told: Option<Told>) {
        lock(&self.known).answered(position, told);
        self.answered.notify_waiters();
    }

    /// What a press would draw over a message that is not his own prompt is said anew.
    pub async fn keep_to_his_own(&self, key: ConversationKey, taken: &mut Taken) {
        let edited: Vec<MessageId> = taken.edited().map(|(_, message)| message).collect();
        if edited.is_empty() {
            return;
        }
        let is_doubtful = |known: &Known| edited.iter().any(|it| !known.is_his(&key, *it));
        if is_doubtful(&lock(&self.known)) {
            self.hear_of(&key).await;
        }
        let known = lock(&self.known);
        taken.draw_only(|_, message| known.is_his(&key, message));
    }

    /// Waits for the answers to what is on its way to this conversation, but not for long.
    async fn hear_of(&self, key: &ConversationKey) {
        let heard = async {
            loop {
                let answered = self.answered.notified();
                if !lock(&self.known).is_on_its_way(key) {
                    return;
                }
                answered.await;
            }
        };
        // Late: it is said anew.
        let _late = tokio::time::timeout(SOON, heard).await;
    }
}

impl Known {
    fn own(&mut self, key: ConversationKey) -> &mut Own {
        let kept = self.young.remove(&key).or_else(|| self.old.remove(&key));
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert(kept.unwrap_or_default())
    }

    fn find(&self, key: &ConversationKey) -> Option<&Own> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn leaves(&mut self, position: OutboxPosition, key: ConversationKey) {
        if let Some(at) = self.early.iter().position(|(early, _)| *early == position) {
            let told = self.early.remove(at).and_then(|(_, told)| told);
            return self.own(key).hear(told);
        }
        self.own(key).on_their_way += 1;
        self.leaving.insert(position, key);
        if self.leaving.len() > LEAVING
            && let Some((_, key)) = self.leaving.pop_first()
        {
            self.own(key).arrives(None);
        }
    }

    fn answered(&mut self, position: OutboxPosition, told: Option<Told>) {
        if let Some(key) = self.leaving.remove(&position) {
            return self.own(key).arrives(told);
        }
        self.early.push_back((position, told));
        if self.early.len() > EARLY {
            self.early.pop_front();
        }
    }

    fn is_on_its_way(&self, key: &ConversationKey) -> bool {
        self.find(key).is_some_and(|own| own.on_their_way > 0)
    }

    fn is_his(&self, key: &ConversationKey, message: MessageId) -> bool {
        let own = self.find(key);
        if own.is_some_and(|own| own.messages.contains(&message)) {
            return true;
        }
        let is_vague =
            |own: &Own| own.has_unknown || own.on_their_way > 0 || own.messages.is_empty();
        match key.place {
            PlaceKey::Group(_) => false,
            PlaceKey::Private => own.is_none_or(is_vague),
        }
    }
}

impl Own {
    fn arrives(&mut self, told: Option<Told>) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        self.hear(told);
    }

    fn hear(&mut self, told: Option<Told>) {
        match told {
            Some(Told::Message(_, message)) => {
                self.messages.push_back(message);
                if self.messages.len() > OWN {
                    self.messages.pop_front();
                }
            }
            Some(Told::Somehow(..)) => self.has_unknown = true,
            // An edit, or nothing was to be said any more.
            None => {}
        }
    }
}

/// Has buttons to be pressed, or would have them where it is said anew.
fn asks(entry: &OutboxEntry) -> bool {
    let keyboard = match &entry.kind {
        OutboxKind::Say { keyboard, .. } | OutboxKind::Edit { keyboard, .. } => keyboard.as_ref(),
        OutboxKind::StoreFile { .. } => None,
    };
    let mut buttons = keyboard.into_iter().flat_map(|it| it.0.iter().flatten());
    buttons.any(|it| matches!(it, Button::Press { .. }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{ChannelId, MemberId, SendTarget};

    use super::*;

    const GROUP: ChannelId = ChannelId(800);

    fn in_group(member: i64) -> ConversationKey {
        ConversationKey::group(GROUP, MemberId(member))
    }

    fn position(number: usize) -> OutboxPosition {
        format!("{}-0", number + 1).parse().unwrap()
    }

    fn message(id: i32) -> Option<Told> {
        Some(Told::Message(SendTarget::Channel(GROUP), MessageId(id)))
    }

    fn somehow() -> Option<Told> {
        let print = shared_core::Print(1);
        Some(Told::Somehow(SendTarget::Channel(GROUP), print))
    }

    #[test]
    fn a_prompt_is_its_own_conversations_and_nobody_elses() {
        let mut known = Known::default();
        known.leaves(position(1), in_group(5));
        // The other one's answer is there before its lane says what it was.
        known.answered(position(2), message(42));
        known.leaves(position(2), in_group(6));
        assert!(known.is_on_its_way(&in_group(5)) && !known.is_on_its_way(&in_group(6)));
        known.answered(position(1), message(41));
        known.answered(position(3), message(43));
        for (member, id, is_his) in [
            (5, 41, true),
            (5, 42, false),
            (5, 43, false),
            (6, 42, true),
            (6, 41, false),
            (7, 41, false),
        ] {
            let found = known.is_his(&in_group(member), MessageId(id));
            assert_eq!(found, is_his, "{member} {id}");
        }
    }

    #[test]
    fn what_is_not_known_is_nobodys_in_a_group_and_his_in_private() {
        let (group, private) = (in_group(5), ConversationKey::private(MemberId(5)));
        let mut known = Known::default();
        for (key, is_his) in [(group, false), (private, true)] {
            assert_eq!(known.is_his(&key, MessageId(41)), is_his, "of before");
        }
        for (at, key) in [group, private].into_iter().enumerate() {
            known.leaves(position(at), key);
            known.answered(position(at), message(42));
            assert!(known.is_his(&key, MessageId(42)));
            assert!(!known.is_his(&key, MessageId(41)), "another message");
        }
        for (at, key) in [group, private].into_iter().enumerate() {
            known.leaves(position(10 + at), key);
            known.answered(position(10 + at), somehow());
        }
        assert!(!known.is_his(&group, MessageId(43)));
        assert!(known.is_his(&private, MessageId(43)), "it may be that one");
    }

    #[test]
    fn whatever_is_sent_or_never_sent_the_memory_is_bounded() {
        let mut known = Known::default();
        for number in 0..3 * LEAVING {
            known.leaves(position(number), in_group(i64::try_from(number).unwrap()));
            known.answered(position(usize::MAX / 2 - number), None);
        }
        assert!(known.leaving.len() <= LEAVING && known.early.len() <= EARLY);
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
        for id in 0..100 {
            known.leaves(position(LEAVING * 4), in_group(5));
            known.answered(position(LEAVING * 4), message(id));
        }
        assert_eq!(known.find(&in_group(5)).unwrap().messages.len(), OWN);
    }

    /// The member sees his prompt before the sender has its answer.
    #[tokio::test]
    async fn a_press_waits_for_the_answer_to_its_prompt_and_not_for_long() {
        let (prompts, key) = (Prompts::default(), in_group(5));
        lock(&prompts.known).leaves(position(1), key);
        let answer = async {
            tokio::task::yield_now().await;
            prompts.answered(position(9), message(49));
            tokio::task::yield_now().await;
            prompts.answered(position(1), message(41));
        };
        tokio::join!(prompts.hear_of(&key), answer);
        assert!(lock(&prompts.known).is_his(&key, MessageId(41)));

        let begun = tokio::time::Instant::now();
        prompts.hear_of(&key).await;
        assert!(begun.elapsed() < SOON, "nothing is on its way");
        lock(&prompts.known).leaves(position(2), key);
        prompts.hear_of(&key).await;
        assert!(begun.elapsed() >= SOON);
    }
}
