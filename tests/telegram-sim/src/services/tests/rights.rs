//! Rights in channels: one's own, promoting others, deleting and editing what others wrote.

use grammers_tl_types as tl;
use tl::functions::channels;
use tl::{enums, types};

use crate::services::build;
use crate::world::testing::*;
use crate::world::{ChannelId, ChannelKind, ChatRef, Right, UserId};

fn promote(
    s: &mut Scene,
    by: UserId,
    channel: ChannelId,
    user: UserId,
    rights: &[Right],
) -> Option<String> {
    let access_hash = s.world.hashes.user(by, user);
    let request = channels::EditAdmin {
        channel: input_channel(channel),
        user_id: types::InputUser {
            user_id: user.0,
            access_hash,
        }
        .into(),
        admin_rights: build::admin_rights(&rights.iter().copied().collect()).into(),
        rank: None,
    };
    s.call(by, &request).err()
}

#[test]
fn a_bot_reads_its_own_rights() {
    let mut s = scene();
    let bot = s.bot("a_bot");
    let channel = s.channel(
        ChannelKind::Broadcast,
        &[],
        &[(bot, &[Right::PostMessages, Right::PinMessages])],
    );
    let request = channels::GetChannels {
        id: vec![input_channel(channel)],
    };
    let enums::messages::Chats::Chats(chats) = s.call(bot, &request).unwrap() else {
        panic!("a slice")
    };
    let [enums::Chat::Channel(chat)] = chats.chats.as_slice() else {
        panic!("{:?}", chats.chats)
    };
    let Some(enums::ChatAdminRights::Rights(rights)) = &chat.admin_rights else {
        panic!("no rights")
    };
    assert_eq!(
        build::rights_of(rights),
        [Right::PostMessages, Right::PinMessages].into()
    );
}

#[test]
fn a_bot_promotes_within_its_rights_and_its_chain() {
    let mut s = scene();
    let (chief, helper, other) = (s.bot("chief_bot"), s.bot("helper_bot"), s.bot("other_bot"));
    let member = s.member();
    let all: &[Right] = &[Right::AddAdmins, Right::PostMessages];
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member, helper],
        &[(chief, all), (other, &[Right::DeleteMessages])],
    );
    let deny = |text: &str| Some(text.to_owned());
    assert_eq!(
        promote(&mut s, other, group, helper, &[Right::DeleteMessages]),
        deny("CHAT_ADMIN_REQUIRED")
    );
    assert_eq!(
        promote(&mut s, chief, group, helper, &[Right::BanUsers]),
        deny("RIGHT_FORBIDDEN")
    );
    assert_eq!(
        promote(&mut s, chief, group, other, &[Right::PostMessages]),
        deny("CHAT_ADMIN_REQUIRED")
    );
    assert_eq!(
        promote(&mut s, chief, group, member, &[Right::PostMessages]),
        deny("USER_CREATOR")
    );
    let stranger = s.bot("stranger_bot");
    assert_eq!(
        promote(&mut s, chief, group, stranger, &[Right::PostMessages]),
        deny("USER_NOT_PARTICIPANT")
    );
    s.pushed();
    assert_eq!(
        promote(&mut s, chief, group, helper, &[Right::PostMessages]),
        None
    );
    let told = s
        .pushed()
        .into_iter()
        .filter(|(bot, _)| *bot == helper)
        .count();
    assert_eq!(told, 2, "updateChannel and the change of its standing");
    assert_eq!(promote(&mut s, chief, group, helper, &[]), None);
    assert!(
        s.world
            .channel_view(group)
            .unwrap()
            .admins
            .iter()
            .all(|(user, _)| *user != helper)
    );
}

#[test]
fn an_absent_bot_is_promoted_only_by_doubt() {
    let mut s = scene();
    let (chief, absent) = (s.bot("chief_bot"), s.bot("absent_bot"));
    let channel = s.channel(
        ChannelKind::Broadcast,
        &[],
        &[(chief, &[Right::AddAdmins, Right::PostMessages])],
    );
    let mut doubts = s.world.settings().doubts.clone();
    doubts.promote_absent = true;
    s.world.set_doubts(doubts);
    assert_eq!(
        promote(&mut s, chief, channel, absent, &[Right::PostMessages]),
        None
    );
    assert!(s.send(absent, to_channel(channel), "here").is_ok());
}

#[test]
fn deleting_what_others_wrote_needs_the_right() {
    let mut s = scene();
    let (plain, admin) = (s.bot("plain_bot"), s.bot("admin_bot"));
    let member = s.member();
    let group = s.channel(
        ChannelKind::Supergroup,
        &[member, plain],
        &[(admin, &[Right::DeleteMessages])],
    );
    let id = s.say(member, ChatRef::Channel(group), "/delete me");
    let request = channels::DeleteMessages {
        channel: input_channel(group),
        id: vec![id.0],
    };
    assert_eq!(
        s.call(plain, &request).unwrap_err(),
        "MESSAGE_DELETE_FORBIDDEN"
    );
    let enums::messages::AffectedMessages::Messages(affected) = s.call(admin, &request).unwrap();
    assert_eq!(affected.pts_count, 1);
    assert!(s.world.channel_messages(group).unwrap().is_empty());
}

#[test]
fn a_channel_holds_fifty_admins_and_a_group_twenty_bots() {
    let mut s = scene();
    let group = s.channel(ChannelKind::Supergroup, &[], &[]);
    for number in 0..20 {
        let bot = s.bot(&format!("n{number}_bot"));
        s.world.set_membership(group, bot, true, s.now).unwrap();
    }
    let bot = s.bot("late_bot");
    let refused = s.world.set_membership(group, bot, true, s.now).unwrap_err();
    assert_eq!(refused.message, "BOTS_TOO_MUCH");
    for _ in 0..50 {
        let member = s.member();
        s.world
            .set_admin(group, member, Some([Right::PinMessages].into()), s.now)
            .unwrap();
    }
    let member = s.member();
    let refused = s
        .world
        .set_admin(group, member, Some([Right::PinMessages].into()), s.now)
        .unwrap_err();
    assert_eq!(refused.message, "ADMINS_TOO_MUCH");
}

#[test]
fn who_was_thrown_out_is_not_promoted_before_he_is_added_again() {
    let mut s = scene();
    let (chief, helper) = (s.bot("chief_bot"), s.bot("helper_bot"));
    let rights: &[Right] = &[Right::AddAdmins, Right::PinMessages];
    let group = s.channel(ChannelKind::Supergroup, &[helper], &[(chief, rights)]);
    s.world.set_membership(group, helper, false, s.now).unwrap();
    let refused = promote(&mut s, chief, group, helper, &[Right::PinMessages]);
    assert_eq!(refused.as_deref(), Some("USER_KICKED"));
    s.world.set_membership(group, helper, true, s.now).unwrap();
    assert_eq!(
        promote(&mut s, chief, group, helper, &[Right::PinMessages]),
        None
    );
}
