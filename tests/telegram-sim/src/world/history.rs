//! Chats as a list and their messages newest first, as people's clients ask for them. Reads only; bots may not look around
//! and never get here. Which message somebody may see is the business of `sending::sees`: people see all of a chat they are in.

use std::cmp::Reverse;

use super::World;
use super::error::RpcError;
use super::ids::{ChatRef, MessageId, UserId};
use super::message::Body;

/// A chat by its newest message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChatTop {
    pub chat: ChatRef,
    pub top: MessageId,
    pub date: i32,
}

/// Which part of a chat; zeros mean "no bound", as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Only older ones than this message.
    pub offset_id: i32,
    /// Only older ones than this moment (unix seconds), when there is no `offset_id`.
    pub offset_date: i32,
    /// So many further back, or (negative) so many newer ones too.
    pub add_offset: i32,
    pub limit: i32,
    pub max_id: i32,
    pub min_id: i32,
}

/// Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub ids: Vec<MessageId>,
    /// How many there are in all.
    pub count: usize,
}

const PAGE_MAX: i32 = 100;

impl World {
    /// All chats with a message in them, the one with the latest message first.
    pub(crate) fn chats_of(&self, viewer: UserId) -> Result<Vec<ChatTop>, RpcError> {
        let account = self.account(viewer)?;
        let own_box = account.dialogs().filter_map(|(chat, dialog)| {
            let newest = |id: &MessageId| Some((*id, self.copied(account.content(*id)?)?));
            let (top, message) = dialog.messages.iter().rev().find_map(newest)?;
            let date = message.body.date;
            Some(ChatTop { chat, top, date })
        });
        let channels = account.channels.iter().filter_map(|id| {
            let channel = self.channel(*id).ok().filter(|one| !one.is_basic())?;
            let (top, message) = channel.newest()?;
            let (chat, date) = (ChatRef::Channel(*id), message.body.date);
            Some(ChatTop { chat, top, date })
        });
        let mut chats: Vec<ChatTop> = own_box.chain(channels).collect();
        chats.sort_unstable_by_key(|one| Reverse((one.date, one.top, one.chat)));
        Ok(chats)
    }

    /// The newest message of a chat, if it has any.
    pub(crate) fn top_of(
        &self,
        viewer: UserId,
        chat: ChatRef,
    ) -> Result<Option<ChatTop>, RpcError> {
        let newest = self.newest_first(viewer, chat)?.into_iter().next();
        Ok(newest.map(|(top, body)| ChatTop {
            chat,
            top,
            date: body.date,
        }))
    }

    /// A part of a chat: those of its messages that `fits` accepts.
    pub(crate) fn page(
        &self,
        viewer: UserId,
        chat: ChatRef,
        wanted: Wanted,
        fits: impl Fn(&Body) -> bool,
    ) -> Result<Page, RpcError> {
        let all: Vec<(MessageId, &Body)> = self
            .newest_first(viewer, chat)?
            .into_iter()
            .filter(|(_, body)| fits(body))
            .collect();
        let is_older =
            |(id, body): &(MessageId, &Body)| match (wanted.offset_id, wanted.offset_date) {
                (0, 0) => true,
                (0, date) => body.date < date,
                (offset, _) => id.0 < offset,
            };
        let first = all.iter().position(is_older).unwrap_or(all.len());
        let first = i64::try_from(first).unwrap_or(i64::MAX) + i64::from(wanted.add_offset);
        let last = first + i64::from(wanted.limit.clamp(0, PAGE_MAX));
        let bound = |at: i64| usize::try_from(at.max(0)).map_or(all.len(), |at| at.min(all.len()));
        let within =
            |id: &MessageId| (wanted.max_id == 0 || id.0 < wanted.max_id) && id.0 > wanted.min_id;
        let ids = all[bound(first)..bound(last)].iter().map(|(id, _)| *id);
        Ok(Page {
            ids: ids.filter(within).collect(),
            count: all.len(),
        })
    }

    fn newest_first(
        &self,
        viewer: UserId,
        chat: ChatRef,
    ) -> Result<Vec<(MessageId, &Body)>, RpcError> {
        if let Some(id) = self.channel_box(chat) {
            let all = self.channel(id)?.messages_after(MessageId(0));
            let mut all: Vec<_> = all.map(|(id, message)| (id, &message.body)).collect();
            all.reverse();
            return Ok(all);
        }
        let account = self.account(viewer)?;
        let there = |id: &MessageId| Some((*id, &self.copied(account.content(*id)?)?.body));
        let numbers = account.dialog(chat).map(|dialog| dialog.messages.iter());
        Ok(numbers
            .into_iter()
            .flatten()
            .rev()
            .filter_map(there)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::testing::scene;
    use super::super::{ChannelKind, NewMessage};
    use super::*;

    #[test]
    fn pages_count_from_the_newest_message_and_bounds_cut_them() {
        let mut s = scene();
        let bot = s.bot("page_bot");
        let member = s.started(bot);
        let chat = ChatRef::User(bot);
        for text in ["b", "c", "d", "e"] {
            let message = NewMessage {
                text: text.into(),
                ..NewMessage::default()
            };
            s.world.member_send(member, chat, message, s.now).unwrap();
        }
        let page = |wanted: Wanted| -> Vec<i32> {
            let page = s.world.page(member, chat, wanted, |_| true).unwrap();
            assert_eq!(page.count, 5);
            page.ids.iter().map(|id| id.0).collect()
        };
        let all = Wanted {
            limit: 100,
            ..Wanted::default()
        };
        assert_eq!(page(all), [5, 4, 3, 2, 1]);
        assert_eq!(page(Wanted { limit: 2, ..all }), [5, 4]);
        assert_eq!(
            page(Wanted {
                offset_id: 4,
                limit: 2,
                ..all
            }),
            [3, 2]
        );
        assert_eq!(
            page(Wanted {
                offset_id: 4,
                add_offset: -1,
                limit: 2,
                ..all
            }),
            [4, 3]
        );
        assert_eq!(
            page(Wanted {
                add_offset: -3,
                limit: 4,
                ..all
            }),
            [5]
        );
        assert_eq!(
            page(Wanted {
                min_id: 2,
                max_id: 5,
                ..all
            }),
            [4, 3]
        );
        let date = s.now.date();
        assert_eq!(
            page(Wanted {
                offset_date: date,
                ..all
            }),
            [0; 0]
        );
        assert_eq!(
            page(Wanted {
                offset_date: date + 1,
                ..all
            })
            .len(),
            5
        );
    }

    #[test]
    fn chats_come_by_their_latest_message_and_empty_ones_not_at_all() {
        let mut s = scene();
        let bot = s.bot("chats_bot");
        let member = s.started(bot);
        let group = s.channel(ChannelKind::Supergroup, &[member], &[]);
        s.now.unix_ms += 5_000;
        s.start(member, bot);
        let chats: Vec<ChatRef> = s
            .world
            .chats_of(member)
            .unwrap()
            .iter()
            .map(|one| one.chat)
            .collect();
        assert_eq!(chats, [ChatRef::User(bot), ChatRef::Channel(group)]);
        let all: Vec<MessageId> = s
            .world
            .page(
                member,
                ChatRef::User(bot),
                Wanted {
                    limit: 9,
                    ..Wanted::default()
                },
                |_| true,
            )
            .unwrap()
            .ids;
        s.world
            .member_delete(member, ChatRef::User(bot), &all, s.now)
            .unwrap();
        let left = s.world.chats_of(member).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].chat, ChatRef::Channel(group));
    }
}
