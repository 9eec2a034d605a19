//! Which update stands where in which sequence, and how the shapes in which updates come are made one.
//!
//! Source: <https://core.telegram.org/api/updates>, and `message_box/adaptor.rs` of grammers-session 0.11 for which constructors
//! count. A constructor that is not in the table counts nothing here; if it does for Telegram, the next one is a gap and is fetched.

use grammers_client::session::updates::UpdatesLike;
use grammers_client::tl;
use shared_core::ChannelId;

use super::{Counter, Key};

/// After this update the counter stands at `after`; it covers `count` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telegram) struct Position {
    pub key: Key,
    pub counter: Counter,
    pub after: i32,
    pub count: i32,
}

impl Position {
    fn private(after: i32, count: i32) -> Self {
        Self {
            key: Key::Private,
            counter: Counter::Pts,
            after,
            count,
        }
    }

    fn secondary(after: i32) -> Self {
        Self {
            key: Key::Private,
            counter: Counter::Qts,
            after,
            count: 1,
        }
    }

    fn channel(channel: i64, after: i32, count: i32) -> Self {
        Self {
            key: Key::Channel(ChannelId(channel)),
            counter: Counter::Pts,
            after,
            count,
        }
    }
}

/// An update with its position. Without an update it only counts (the answer to a call of ours).
#[derive(Debug)]
pub(in crate::telegram) struct Event {
    pub position: Option<Position>,
    pub update: Option<tl::enums::Update>,
}

/// What came over the line at once.
#[derive(Debug)]
pub(in crate::telegram) enum Received {
    Updates {
        events: Vec<Event>,
        users: Vec<tl::enums::User>,
        chats: Vec<tl::enums::Chat>,
        /// 0 when it bears none.
        date: i32,
    },
    /// Something was missed and nobody says what: all boxes have to be asked.
    Gap,
}

/// `seq` is left aside on purpose: it starts anew with each session, and a gap in it would throw presses away that no difference
/// brings back.
pub(in crate::telegram) fn unpack(received: UpdatesLike) -> Received {
    let events = |updates: Vec<tl::enums::Update>| updates.into_iter().map(Event::from).collect();
    let counted = |position| {
        let event = Event {
            position: Some(position),
            update: None,
        };
        Received::Updates {
            events: vec![event],
            users: vec![],
            chats: vec![],
            date: 0,
        }
    };
    match received {
        UpdatesLike::Updates(tl::enums::Updates::Updates(it)) => Received::Updates {
            events: events(it.updates),
            users: it.users,
            chats: it.chats,
            date: it.date,
        },
        UpdatesLike::Updates(tl::enums::Updates::Combined(it)) => Received::Updates {
            events: events(it.updates),
            users: it.users,
            chats: it.chats,
            date: it.date,
        },
        UpdatesLike::Updates(tl::enums::Updates::UpdateShort(it)) => Received::Updates {
            events: vec![it.update.into()],
            users: vec![],
            chats: vec![],
            date: it.date,
        },
        UpdatesLike::Updates(tl::enums::Updates::UpdateShortMessage(it)) => Received::Updates {
            date: it.date,
            events: vec![tl::enums::Update::from(written_out(it)).into()],
            users: vec![],
            chats: vec![],
        },
        // Basic groups matter to nobody here, but they count.
        UpdatesLike::Updates(tl::enums::Updates::UpdateShortChatMessage(it)) => {
            counted(Position::private(it.pts, it.pts_count))
        }
        UpdatesLike::Updates(tl::enums::Updates::UpdateShortSentMessage(it)) => {
            counted(Position::private(it.pts, it.pts_count))
        }
        UpdatesLike::ShortSentMessage { request, update } => match request.peer {
            tl::enums::InputPeer::User(peer) => {
                let sent = sent_short(request.message, peer.user_id, update);
                Received::Updates {
                    events: vec![tl::enums::Update::from(sent).into()],
                    users: vec![],
                    chats: vec![],
                    date: 0,
                }
            }
            _ => counted(Position::private(update.pts, update.pts_count)),
        },
        UpdatesLike::AffectedMessages(it) => counted(Position::private(it.pts, it.pts_count)),
        UpdatesLike::AffectedChannelMessages {
            affected,
            channel_id,
            ..
        } => counted(Position::channel(
            channel_id,
            affected.pts,
            affected.pts_count,
        )),
        UpdatesLike::InvitedUsers(it) => unpack(UpdatesLike::Updates(it.updates)),
        UpdatesLike::ChatInviteJoinResult(it) => unpack(UpdatesLike::Updates(it.updates)),
        UpdatesLike::Updates(tl::enums::Updates::TooLong)
        | UpdatesLike::ConnectionClosed
        | UpdatesLike::MalformedUpdates => Received::Gap,
    }
}

impl From<tl::enums::Update> for Event {
    fn from(update: tl::enums::Update) -> Self {
        Self {
            // Telegram sends 0 where the order does not matter.
            position: position(&update).filter(|position| position.after > 0),
            update: Some(update),
        }
    }
}

fn position(update: &tl::enums::Update) -> Option<Position> {
    use tl::enums::Update as U;
    Some(match update {
        U::NewMessage(it) => Position::private(it.pts, it.pts_count),
        U::EditMessage(it) => Position::private(it.pts, it.pts_count),
        U::DeleteMessages(it) => Position::private(it.pts, it.pts_count),
        U::ReadHistoryInbox(it) => Position::private(it.pts, it.pts_count),
        U::ReadHistoryOutbox(it) => Position::private(it.pts, it.pts_count),
        U::ReadMessagesContents(it) => Position::private(it.pts, it.pts_count),
        U::WebPage(it) => Position::private(it.pts, it.pts_count),
        U::FolderPeers(it) => Position::private(it.pts, it.pts_count),
        U::PinnedMessages(it) => Position::private(it.pts, it.pts_count),
        U::NewChannelMessage(it) => {
            Position::channel(channel_of(&it.message)?, it.pts, it.pts_count)
        }
        U::EditChannelMessage(it) => {
            Position::channel(channel_of(&it.message)?, it.pts, it.pts_count)
        }
        U::DeleteChannelMessages(it) => Position::channel(it.channel_id, it.pts, it.pts_count),
        U::ReadChannelInbox(it) => Position::channel(it.channel_id, it.pts, 0),
        U::ChannelWebPage(it) => Position::channel(it.channel_id, it.pts, it.pts_count),
        U::PinnedChannelMessages(it) => Position::channel(it.channel_id, it.pts, it.pts_count),
        U::NewEncryptedMessage(it) => Position::secondary(it.qts),
        U::ChatParticipant(it) => Position::secondary(it.qts),
        U::ChannelParticipant(it) => Position::secondary(it.qts),
        U::BotStopped(it) => Position::secondary(it.qts),
        U::BotChatInviteRequester(it) => Position::secondary(it.qts),
        U::BotChatBoost(it) => Position::secondary(it.qts),
        U::BotMessageReaction(it) => Position::secondary(it.qts),
        U::BotMessageReactions(it) => Position::secondary(it.qts),
        U::BotNewBusinessMessage(it) => Position::secondary(it.qts),
        U::BotEditBusinessMessage(it) => Position::secondary(it.qts),
        U::BotDeleteBusinessMessage(it) => Position::secondary(it.qts),
        U::BotPurchasedPaidMedia(it) => Position::secondary(it.qts),
        _ => return None,
    })
}

/// An empty channel message does not say which channel it was; the next one will be a gap.
fn channel_of(message: &tl::enums::Message) -> Option<i64> {
    let peer = match message {
        tl::enums::Message::Message(it) => Some(&it.peer_id),
        tl::enums::Message::Service(it) => Some(&it.peer_id),
        tl::enums::Message::Empty(it) => it.peer_id.as_ref(),
    };
    match peer {
        Some(tl::enums::Peer::Channel(it)) => Some(it.channel_id),
        _ => None,
    }
}

/// The answer to a plain text of ours, written out: it says everything but what was asked.
fn sent_short(
    message: String,
    user_id: i64,
    sent: tl::types::UpdateShortSentMessage,
) -> tl::types::UpdateNewMessage {
    written_out(tl::types::UpdateShortMessage {
        out: true,
        mentioned: false,
        media_unread: false,
        silent: false,
        id: sent.id,
        user_id,
        message,
        pts: sent.pts,
        pts_count: sent.pts_count,
        date: sent.date,
        fwd_from: None,
        via_bot_id: None,
        reply_to: None,
        entities: sent.entities,
        ttl_period: sent.ttl_period,
    })
}

/// The short form of a private message, written out.
fn written_out(short: tl::types::UpdateShortMessage) -> tl::types::UpdateNewMessage {
    let message = tl::types::Message {
        out: short.out,
        mentioned: short.mentioned,
        media_unread: short.media_unread,
        silent: short.silent,
        post: false,
        from_scheduled: false,
        legacy: false,
        edit_hide: false,
        pinned: false,
        noforwards: false,
        invert_media: false,
        offline: false,
        video_processing_pending: false,
        paid_suggested_post_stars: false,
        paid_suggested_post_ton: false,
        id: short.id,
        from_id: None,
        from_boosts_applied: None,
        from_rank: None,
        peer_id: tl::types::PeerUser {
            user_id: short.user_id,
        }
        .into(),
        saved_peer_id: None,
        fwd_from: short.fwd_from,
        via_bot_id: short.via_bot_id,
        via_business_bot_id: None,
        guestchat_via_from: None,
        reply_to: short.reply_to,
        date: short.date,
        message: short.message,
        media: None,
        reply_markup: None,
        entities: short.entities,
        views: None,
        forwards: None,
        replies: None,
        edit_date: None,
        post_author: None,
        grouped_id: None,
        reactions: None,
        restriction_reason: None,
        ttl_period: short.ttl_period,
        quick_reply_shortcut_id: None,
        effect: None,
        factcheck: None,
        report_delivery_until_date: None,
        paid_message_stars: None,
        suggested_post: None,
        schedule_repeat_period: None,
        summary_from_language: None,
        rich_message: None,
    };
    tl::types::UpdateNewMessage {
        message: message.into(),
        pts: short.pts,
        pts_count: short.pts_count,
    }
}
