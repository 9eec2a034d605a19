//! From the world's values to Telegram's, as one account sees them: numbers, `out`, access hashes, file references, rights. Whoever occurs
//! is noted in [`Seen`], and being shown to an account is what makes a user "met".

use std::collections::BTreeSet;

use grammers_tl_types as tl;
use tl::{enums, types};

use crate::services::build;
use crate::world::{Body, Channel, ChannelId, ChatRef, FileId, Media, MessageId, UserId, World};

/// Users and chats that an answer mentions, each once and in order.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub users: BTreeSet<UserId>,
    pub channels: BTreeSet<ChannelId>,
}

impl World {
    /// The vectors `users` and `chats` of an answer; from here on the viewer has met them.
    pub(crate) fn introduce(
        &mut self,
        viewer: UserId,
        seen: Seen,
    ) -> (Vec<enums::User>, Vec<enums::Chat>) {
        let users = seen
            .users
            .iter()
            .map(|user| self.tl_user(viewer, *user))
            .collect();
        let chats = seen
            .channels
            .iter()
            .map(|channel| self.tl_chat(viewer, *channel))
            .collect();
        if let Ok(account) = self.account_mut(viewer) {
            account.met.extend(seen.users);
        }
        (users, chats)
    }

    pub(crate) fn tl_user(&self, viewer: UserId, id: UserId) -> enums::User {
        let Ok(account) = self.account(id) else {
            return types::UserEmpty { id: id.0 }.into();
        };
        let bot = account.bot.as_deref();
        let deleted = bot.is_some_and(|bot| bot.deleted);
        types::User {
            is_self: viewer == id,
            bot: bot.is_some(),
            deleted,
            bot_chat_history: bot.is_some_and(|bot| !bot.privacy),
            bot_info_version: bot.map(|_| 1),
            access_hash: Some(self.hashes.user(viewer, id)),
            first_name: (!deleted).then(|| account.first_name.clone()),
            username: account.username.clone(),
            ..build::user(id)
        }
        .into()
    }

    pub(crate) fn tl_peer(&self, chat: ChatRef) -> enums::Peer {
        match chat {
            ChatRef::Channel(id) if self.channel(id).is_ok_and(Channel::is_basic) => {
                build::peer_group(id)
            }
            ChatRef::User(_) | ChatRef::Channel(_) => build::peer(chat),
        }
    }

    pub(crate) fn tl_chat(&self, viewer: UserId, id: ChannelId) -> enums::Chat {
        let Ok(channel) = self.channel(id) else {
            return types::ChatEmpty { id: id.0 }.into();
        };
        if channel.is_basic() {
            return self.tl_group(viewer, channel);
        }
        let is_open = channel.username.is_some() && !channel.banned.contains(&viewer);
        if !channel.has(viewer) && !is_open {
            return types::ChannelForbidden {
                broadcast: channel.is_broadcast(),
                megagroup: !channel.is_broadcast(),
                monoforum: false,
                id: id.0,
                access_hash: self.hashes.channel(viewer, id),
                title: channel.title.clone(),
                until_date: None,
            }
            .into();
        }
        let count = i32::try_from(channel.members.len()).unwrap_or(i32::MAX);
        types::Channel {
            creator: channel.creator == viewer,
            left: !channel.has(viewer),
            broadcast: channel.is_broadcast(),
            megagroup: !channel.is_broadcast(),
            access_hash: Some(self.hashes.channel(viewer, id)),
            username: channel.username.clone(),
            admin_rights: super::participants::own_rights(channel, viewer).map(Into::into),
            default_banned_rights: Some(build::banned_rights().into()),
            participants_count: Some(count),
            ..build::channel(id, channel.title.clone(), channel.date)
        }
        .into()
    }

    fn tl_group(&self, viewer: UserId, group: &Channel) -> enums::Chat {
        if !group.has(viewer) {
            return types::ChatForbidden {
                id: group.id.0,
                title: group.title.clone(),
            }
            .into();
        }
        types::Chat {
            creator: group.creator == viewer,
            participants_count: i32::try_from(group.members.len()).unwrap_or(i32::MAX),
            admin_rights: super::participants::own_rights(group, viewer).map(Into::into),
            default_banned_rights: Some(build::banned_rights().into()),
            ..build::group(group.id, group.title.clone(), group.date)
        }
        .into()
    }

    /// A message of the viewer's own box.
    pub(crate) fn tl_copied(
        &self,
        viewer: UserId,
        id: MessageId,
        seen: &mut Seen,
    ) -> Option<enums::Message> {
        use crate::world::Home;
        let message = self.copied(self.account(viewer).ok()?.content(id)?)?;
        let body = &message.body;
        let peer = match message.home {
            Home::Pair(one, other) => {
                seen.users.extend([one, other]);
                ChatRef::User(if one == viewer { other } else { one })
            }
            Home::Group(group) => {
                seen.channels.insert(group);
                ChatRef::Channel(group)
            }
        };
        let out = body.author == viewer;
        // Incoming private messages name no author: it can only be the peer.
        let names_author = out || matches!(message.home, Home::Group(_));
        let from = names_author.then(|| build::peer_user(body.author));
        let reply_to = message
            .reply_to
            .and_then(|answered| self.copied(answered)?.number_for(viewer));
        Some(self.tl_message(viewer, id, self.tl_peer(peer), from, reply_to, body, seen))
    }

    pub(crate) fn tl_channel_message(
        &self,
        viewer: UserId,
        channel: ChannelId,
        id: MessageId,
        seen: &mut Seen,
    ) -> Option<enums::Message> {
        let place = self.channel(channel).ok()?;
        let message = place.message(id)?;
        seen.channels.insert(channel);
        // A post in a broadcast channel speaks for the channel.
        let from = (!place.is_broadcast()).then(|| build::peer_user(message.body.author));
        let peer = build::peer(ChatRef::Channel(channel));
        let rendered = self.tl_message(
            viewer,
            id,
            peer,
            from,
            message.reply_to,
            &message.body,
            seen,
        );
        Some(match rendered {
            enums::Message::Message(message) => types::Message {
                post: place.is_broadcast(),
                ..message
            }
            .into(),
            enums::Message::Service(message) => types::MessageService {
                post: place.is_broadcast(),
                ..message
            }
            .into(),
            enums::Message::Empty(empty) => empty.into(),
        })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "both kinds of messages end here, each with its own few values"
    )]
    fn tl_message(
        &self,
        viewer: UserId,
        id: MessageId,
        peer: enums::Peer,
        from_id: Option<enums::Peer>,
        reply_to: Option<MessageId>,
        body: &Body,
        seen: &mut Seen,
    ) -> enums::Message {
        if from_id.is_some() {
            seen.users.insert(body.author);
        }
        let out = body.author == viewer;
        let reply_to = reply_to.map(|id| build::reply_header(id.0));
        if let Some(action) = &body.action {
            note_action(action, seen);
            return types::MessageService {
                out,
                from_id,
                reply_to,
                ..build::service_message(id.0, peer, body.date, action.clone())
            }
            .into();
        }
        note_forward(body.forward.as_ref(), seen);
        types::Message {
            out,
            silent: body.silent,
            noforwards: body.noforwards,
            from_id,
            fwd_from: body.forward.clone().map(Into::into),
            reply_to,
            message: body.text.clone(),
            media: body
                .media
                .as_ref()
                .and_then(|media| self.tl_media(viewer, media)),
            reply_markup: body.markup.clone(),
            entities: body.entities.clone(),
            edit_date: body.edited.map(|edited| edited.date),
            grouped_id: body.grouped_id,
            ..build::message(id.0, peer, body.date)
        }
        .into()
    }

    pub(crate) fn tl_media(&self, viewer: UserId, media: &Media) -> Option<enums::MessageMedia> {
        Some(match media {
            Media::Document(id) => types::MessageMediaDocument {
                nopremium: false,
                spoiler: false,
                video: false,
                round: false,
                voice: false,
                document: Some(self.tl_document(viewer, *id)?),
                alt_documents: None,
                video_cover: None,
                video_timestamp: None,
                ttl_seconds: None,
            }
            .into(),
            Media::Photo(id) => types::MessageMediaPhoto {
                spoiler: false,
                live_photo: false,
                photo: Some(self.tl_photo(viewer, *id)?),
                ttl_seconds: None,
                video: None,
            }
            .into(),
            Media::Contact(contact) => contact.clone().into(),
        })
    }

    fn tl_document(&self, viewer: UserId, id: FileId) -> Option<enums::Document> {
        let file = self.files.get(id)?;
        let document = types::Document {
            id: id.0,
            access_hash: self.hashes.file(viewer, id.0),
            file_reference: self.hashes.file_reference(viewer, id.0),
            date: file.date,
            mime_type: file.mime.clone(),
            size: i64::try_from(file.size()).unwrap_or(i64::MAX),
            thumbs: None,
            video_thumbs: None,
            dc_id: self.settings.dc.id,
            attributes: file.attributes.clone(),
        };
        Some(document.into())
    }

    /// One size, of no particular dimensions: the simulator does not look into pictures.
    fn tl_photo(&self, viewer: UserId, id: FileId) -> Option<enums::Photo> {
        let file = self.files.get(id)?;
        let size = types::PhotoSize {
            r#type: "x".to_owned(),
            w: 800,
            h: 800,
            size: i32::try_from(file.size()).unwrap_or(i32::MAX),
        };
        let photo = types::Photo {
            has_stickers: false,
            id: id.0,
            access_hash: self.hashes.file(viewer, id.0),
            file_reference: self.hashes.file_reference(viewer, id.0),
            date: file.date,
            sizes: vec![size.into()],
            video_sizes: None,
            dc_id: self.settings.dc.id,
        };
        Some(photo.into())
    }
}

fn note_action(action: &enums::MessageAction, seen: &mut Seen) {
    match action {
        enums::MessageAction::ChatAddUser(added) => {
            seen.users.extend(added.users.iter().copied().map(UserId));
        }
        enums::MessageAction::ChatDeleteUser(removed) => {
            seen.users.insert(UserId(removed.user_id));
        }
        _ => {}
    }
}

fn note_forward(forward: Option<&types::MessageFwdHeader>, seen: &mut Seen) {
    match forward.and_then(|forward| forward.from_id.as_ref()) {
        Some(enums::Peer::User(user)) => {
            seen.users.insert(UserId(user.user_id));
        }
        Some(enums::Peer::Channel(channel)) => {
            seen.channels.insert(ChannelId(channel.channel_id));
        }
        Some(enums::Peer::Chat(_)) | None => {}
    }
}
