//! Whom this bot puts a live prompt before without being asked: after a change of bots nobody is to be shown twice where he stands.
//!
//! ```text
//! what is known                                          what it means for a conversation
//! an entry that waited when this bot began brings it     shown, as long as that is its latest prompt
//! a step of this bot committed it                        the same; it is later than whatever waited
//! such an entry turns out to have left before            whoever settled it may have been another bot: not shown, unless a step came meanwhile
//! ```
//! Invariant: of each conversation one prompt, by the nonce in its buttons. That it reaches its member is the sender's to see to.

use std::collections::HashMap;

use shared_core::ConversationKey;

#[derive(Debug, Default)]
pub struct Served(HashMap<ConversationKey, Prompt>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompt {
    Waits(u32),
    /// A step may leave the number as it is: a prompt that is drawn anew.
    Stepped(u32),
}

impl Served {
    /// These wait in the outbox. What was committed since is later.
    pub fn wait(&mut self, prompts: impl IntoIterator<Item = (ConversationKey, u32)>) {
        for (conversation, prompt) in prompts {
            self.0.entry(conversation).or_insert(Prompt::Waits(prompt));
        }
    }

    /// These did not wait after all.
    pub fn were_gone(&mut self, prompts: impl IntoIterator<Item = (ConversationKey, u32)>) {
        for (conversation, prompt) in prompts {
            if self.0.get(&conversation) == Some(&Prompt::Waits(prompt)) {
                self.0.remove(&conversation);
            }
        }
    }

    /// A step of this bot was committed.
    pub fn stepped(&mut self, conversation: ConversationKey, prompt: u32) {
        self.0.insert(conversation, Prompt::Stepped(prompt));
    }

    /// The latest prompt that this bot shows there.
    pub fn latest(&self, conversation: &ConversationKey) -> Option<u32> {
        let known = self.0.get(conversation)?;
        let (Prompt::Waits(prompt) | Prompt::Stepped(prompt)) = *known;
        Some(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::MemberId;

    #[test]
    fn what_was_gone_is_shown_anew_unless_a_step_came_meanwhile() {
        let all = [1, 2, 3].map(|id| ConversationKey::private(MemberId(id)));
        let [one, other, redrawn] = all;
        let mut served = Served::default();
        served.stepped(other, 9);
        served.wait([(one, 4), (other, 8), (redrawn, 3)]);
        served.stepped(redrawn, 3);
        let prompts = |served: &Served| all.map(|it| served.latest(&it));
        assert_eq!(prompts(&served), [Some(4), Some(9), Some(3)]);
        served.were_gone([(one, 4), (other, 8), (redrawn, 3)]);
        assert_eq!(prompts(&served), [None, Some(9), Some(3)]);
    }
}
