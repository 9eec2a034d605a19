//! What somebody is in a channel, as Telegram says it: participants and administrators' rights.

use grammers_tl_types as tl;
use tl::{enums, types};

use super::render::Seen;
use crate::services::build;
use crate::world::{Channel, ChannelId, Right, Rights, Standing, UserId, World};

impl World {
    /// `None` for who is not in the channel.
    pub(crate) fn tl_participant(
        &self,
        viewer: UserId,
        channel: ChannelId,
        user: UserId,
        standing: &Standing,
    ) -> Option<enums::ChannelParticipant> {
        let place = self.channel(channel).ok()?;
        Some(match standing {
            Standing::Left => return None,
            Standing::Creator => types::ChannelParticipantCreator {
                user_id: user.0,
                admin_rights: build::admin_rights(&all_rights()).into(),
                rank: None,
            }
            .into(),
            Standing::Admin(admin) => types::ChannelParticipantAdmin {
                can_edit: place.creator == viewer
                    || (place.allows(viewer, Right::AddAdmins)
                        && place.in_promotion_chain(viewer, user)),
                is_self: viewer == user,
                user_id: user.0,
                inviter_id: (viewer == user).then_some(admin.promoted_by.0),
                promoted_by: admin.promoted_by.0,
                date: admin.date,
                admin_rights: build::admin_rights(&admin.rights).into(),
                rank: admin.rank.clone(),
            }
            .into(),
            Standing::Member { since } if viewer == user => types::ChannelParticipantSelf {
                via_request: false,
                user_id: user.0,
                inviter_id: place.creator.0,
                date: *since,
                subscription_until_date: None,
                rank: None,
            }
            .into(),
            Standing::Member { since } => types::ChannelParticipant {
                user_id: user.0,
                date: *since,
                subscription_until_date: None,
                rank: None,
            }
            .into(),
            Standing::Banned => types::ChannelParticipantBanned {
                left: true,
                peer: build::peer_user(user),
                kicked_by: place.creator.0,
                date: place.date,
                banned_rights: types::ChatBannedRights {
                    view_messages: true,
                    ..build::banned_rights()
                }
                .into(),
                rank: None,
            }
            .into(),
        })
    }
}

/// Whoever a participant's entry names is introduced beside it.
pub(crate) fn note_participant(participant: &enums::ChannelParticipant, seen: &mut Seen) {
    let named = match participant {
        enums::ChannelParticipant::Participant(one) => vec![one.user_id],
        enums::ChannelParticipant::ParticipantSelf(one) => vec![one.user_id, one.inviter_id],
        enums::ChannelParticipant::Creator(one) => vec![one.user_id],
        enums::ChannelParticipant::Admin(one) => {
            let mut named = vec![one.user_id, one.promoted_by];
            named.extend(one.inviter_id);
            named
        }
        enums::ChannelParticipant::Banned(one) => vec![one.kicked_by],
        enums::ChannelParticipant::Left(_) => Vec::new(),
    };
    seen.users.extend(named.into_iter().map(UserId));
}

pub(super) fn own_rights(channel: &Channel, viewer: UserId) -> Option<types::ChatAdminRights> {
    if channel.creator == viewer {
        return Some(build::admin_rights(&all_rights()));
    }
    channel
        .admins
        .get(&viewer)
        .map(|admin| build::admin_rights(&admin.rights))
}

/// What a creator has; being anonymous is a choice, not a right.
fn all_rights() -> Rights {
    [
        Right::ChangeInfo,
        Right::PostMessages,
        Right::EditMessages,
        Right::DeleteMessages,
        Right::BanUsers,
        Right::InviteUsers,
        Right::PinMessages,
        Right::AddAdmins,
        Right::ManageCall,
        Right::Other,
        Right::ManageTopics,
        Right::PostStories,
        Right::EditStories,
        Right::DeleteStories,
    ]
    .into()
}
