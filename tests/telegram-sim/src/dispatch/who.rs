//! Which methods are closed to bots (they cannot look around) and which to people. Source: the method pages of core.telegram.org.

use grammers_tl_types as tl;
use tl::Identifiable;
use tl::functions::{account, bots, channels, contacts, help, messages};

/// `BOT_METHOD_INVALID` for a bot.
pub(super) fn is_for_people_only(id: u32) -> bool {
    const PEOPLE_ONLY: [u32; 27] = [
        account::GetNotifySettings::CONSTRUCTOR_ID,
        account::UpdateStatus::CONSTRUCTOR_ID,
        channels::CreateChannel::CONSTRUCTOR_ID,
        channels::InviteToChannel::CONSTRUCTOR_ID,
        channels::JoinChannel::CONSTRUCTOR_ID,
        contacts::Block::CONSTRUCTOR_ID,
        contacts::GetBlocked::CONSTRUCTOR_ID,
        contacts::GetContacts::CONSTRUCTOR_ID,
        contacts::GetStatuses::CONSTRUCTOR_ID,
        contacts::Search::CONSTRUCTOR_ID,
        contacts::Unblock::CONSTRUCTOR_ID,
        help::GetPromoData::CONSTRUCTOR_ID,
        help::GetTermsOfServiceUpdate::CONSTRUCTOR_ID,
        messages::DeleteHistory::CONSTRUCTOR_ID,
        messages::GetAllDrafts::CONSTRUCTOR_ID,
        messages::GetBotCallbackAnswer::CONSTRUCTOR_ID,
        messages::GetCommonChats::CONSTRUCTOR_ID,
        messages::GetDialogFilters::CONSTRUCTOR_ID,
        messages::GetDialogs::CONSTRUCTOR_ID,
        messages::GetHistory::CONSTRUCTOR_ID,
        messages::GetPeerDialogs::CONSTRUCTOR_ID,
        messages::GetPeerSettings::CONSTRUCTOR_ID,
        messages::GetPinnedDialogs::CONSTRUCTOR_ID,
        messages::ImportChatInvite::CONSTRUCTOR_ID,
        messages::Search::CONSTRUCTOR_ID,
        messages::SearchGlobal::CONSTRUCTOR_ID,
        messages::StartBot::CONSTRUCTOR_ID,
    ];
    PEOPLE_ONLY.contains(&id)
}

/// `USER_BOT_REQUIRED` for a person.
pub(super) fn is_for_bots_only(id: u32) -> bool {
    const BOTS_ONLY: [u32; 4] = [
        bots::GetBotCommands::CONSTRUCTOR_ID,
        bots::ResetBotCommands::CONSTRUCTOR_ID,
        bots::SetBotCommands::CONSTRUCTOR_ID,
        messages::SetBotCallbackAnswer::CONSTRUCTOR_ID,
    ];
    BOTS_ONLY.contains(&id)
}
