//! From a function's constructor to the service that answers it. Who may call what is decided here, in this order: the key must be known,
//! not dead, and (but for a few methods) logged in; bots and people are refused the methods that Telegram refuses them (`who`); the rest that the simulator
//! does not speak is an unknown method, with an event, so that a client's author sees it.

mod read;
mod who;

use grammers_tl_types as tl;
use tl::functions::{
    account, auth, bots, channels, contacts, help, langpack, messages, photos, updates, upload,
    users,
};
use tl::{Identifiable, RemoteCall, Serializable};

use self::read::parse;
use crate::services;
use crate::world::{Caller, Event, KeyState, Now, PendingId, RpcError, UserId, World, split_token};

/// A call by a logged-in account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ctx {
    pub me: UserId,
    pub auth_key_id: i64,
    pub now: Now,
}

/// A call that needs no login.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    pub caller: &'a mut Caller,
    pub now: Now,
}

/// What a call is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The serialized result.
    Now(Vec<u8>),
    /// The world tells it later.
    Later(PendingId),
}

type Bytes = Result<Vec<u8>, RpcError>;

/// Tries each method in turn; `None` when the constructor is none of them.
macro_rules! route {
    ($id:expr, $body:expr, $world:expr, $ctx:expr; $($function:ty => $handler:path,)*) => {
        match $id {
            $(<$function as Identifiable>::CONSTRUCTOR_ID => Some((|| {
                let request: $function = parse($body)?;
                let result: <$function as RemoteCall>::Return = $handler($world, $ctx, request)?;
                Ok(result.to_bytes())
            })()),)*
            _ => None,
        }
    };
}

pub(crate) fn run(
    world: &mut World,
    caller: &mut Caller,
    body: &[u8],
    now: Now,
) -> Result<Answer, RpcError> {
    let id = constructor(body).ok_or_else(|| RpcError::bad_request("INPUT_FETCH_ERROR"))?;
    let is_login = id == auth::ImportBotAuthorization::CONSTRUCTOR_ID;
    let account = match world.account_of_key(caller.auth_key_id) {
        KeyState::Unknown => return Err(RpcError::unauthorized("AUTH_KEY_UNREGISTERED")),
        KeyState::Dead(error) if !is_login => return Err(error),
        KeyState::Account(account) => Some(account),
        KeyState::Fresh | KeyState::Dead(_) => None,
    };
    let guest = &mut Guest { caller, now };
    if let Some(result) = for_guests(world, guest, id, body) {
        return result.map(Answer::Now);
    }
    let Some(me) = account else {
        return Err(RpcError::unauthorized("AUTH_KEY_UNREGISTERED"));
    };
    let is_bot = world.is_bot(me);
    if is_bot && who::is_for_people_only(id) {
        return Err(RpcError::bad_request("BOT_METHOD_INVALID"));
    }
    if !is_bot && who::is_for_bots_only(id) {
        return Err(RpcError::bad_request("USER_BOT_REQUIRED"));
    }
    let ctx = Ctx {
        me,
        auth_key_id: guest.caller.auth_key_id,
        now,
    };
    if id == messages::GetBotCallbackAnswer::CONSTRUCTOR_ID {
        let press = parse(body)?;
        return services::messages::buttons::get_bot_callback_answer(world, ctx, press)
            .map(Answer::Later);
    }
    for_accounts(world, ctx, id, body)
        .or_else(|| for_channels(world, ctx, id, body))
        .or_else(|| for_people(world, ctx, id, body))
        .unwrap_or_else(|| Err(unknown(world, guest.caller, id)))
        .map(Answer::Now)
}

/// Bots were refused before they get here.
fn for_people(world: &mut World, ctx: Ctx, id: u32, body: &[u8]) -> Option<Bytes> {
    use services::messages as m;
    route!(id, body, world, ctx;
        messages::GetDialogs => m::dialogs::get_dialogs,
        messages::GetPeerDialogs => m::dialogs::get_peer_dialogs,
        messages::GetPinnedDialogs => m::dialogs::get_pinned_dialogs,
        messages::GetDialogFilters => m::dialogs::get_dialog_filters,
        messages::GetHistory => m::history::get_history,
        messages::Search => m::history::search,
        messages::DeleteHistory => m::history::delete_history,
        messages::GetCommonChats => m::groups::get_common_chats,
        messages::GetAllDrafts => m::dialogs::get_all_drafts,
        messages::StartBot => m::buttons::start_bot,
        messages::GetPeerSettings => services::users::get_peer_settings,
        channels::JoinChannel => services::channels::join_channel,
        contacts::GetContacts => services::contacts::get_contacts,
        contacts::GetStatuses => services::contacts::get_statuses,
        contacts::Block => services::contacts::block,
        contacts::Unblock => services::contacts::unblock,
        contacts::GetBlocked => services::contacts::get_blocked,
        account::UpdateStatus => services::account::update_status,
        account::GetNotifySettings => services::account::get_notify_settings,
        help::GetTermsOfServiceUpdate => services::help::get_terms_of_service_update,
        help::GetPromoData => services::help::get_promo_data,
    )
}

pub(crate) fn method_name(body: &[u8]) -> Option<&'static str> {
    let id = constructor(body)?;
    match tl::name_for_id(id) {
        "(unknown)" => None,
        name => Some(name),
    }
}

/// Whose token a login bears, so that faults can be aimed at it.
pub(crate) fn account_of_login(body: &[u8]) -> Option<UserId> {
    if constructor(body)? != auth::ImportBotAuthorization::CONSTRUCTOR_ID {
        return None;
    }
    let request: auth::ImportBotAuthorization = parse(body).ok()?;
    split_token(&request.bot_auth_token).map(|(account, _)| account)
}

fn for_guests(world: &mut World, guest: &mut Guest<'_>, id: u32, body: &[u8]) -> Option<Bytes> {
    route!(id, body, world, guest;
        auth::ImportBotAuthorization => services::auth::import_bot_authorization,
        auth::LogOut => services::auth::log_out,
        help::GetConfig => services::help::get_config,
        help::GetNearestDc => services::help::get_nearest_dc,
        help::GetAppConfig => services::help::get_app_config,
        langpack::GetLangPack => services::langpack::get_lang_pack,
        langpack::GetDifference => services::langpack::get_difference,
        langpack::GetStrings => services::langpack::get_strings,
        langpack::GetLanguages => services::langpack::get_languages,
    )
}

fn for_accounts(world: &mut World, ctx: Ctx, id: u32, body: &[u8]) -> Option<Bytes> {
    use services::messages as m;
    route!(id, body, world, ctx;
        messages::SendMessage => m::send::send_message,
        messages::SendMedia => m::send::send_media,
        messages::SendMultiMedia => m::send::send_multi_media,
        messages::UploadMedia => m::send::upload_media,
        messages::ForwardMessages => m::forward::forward_messages,
        messages::EditMessage => m::change::edit_message,
        messages::DeleteMessages => m::change::delete_messages,
        messages::GetMessages => m::read::get_messages,
        messages::SetBotCallbackAnswer => m::change::set_bot_callback_answer,
        messages::SetTyping => m::read::set_typing,
        messages::ReadHistory => m::read::read_history,
        messages::GetChats => m::read::get_chats,
        messages::GetFullChat => m::read::get_full_chat,
        messages::DeleteChatUser => m::groups::delete_chat_user,
        updates::GetState => services::updates::get_state,
        updates::GetDifference => services::updates::get_difference,
        updates::GetChannelDifference => services::updates::get_channel_difference,
        users::GetUsers => services::users::get_users,
        users::GetFullUser => services::users::get_full_user,
        contacts::ResolveUsername => services::contacts::resolve_username,
        photos::GetUserPhotos => services::photos::get_user_photos,
        upload::SaveFilePart => services::upload::save_file_part,
        upload::SaveBigFilePart => services::upload::save_big_file_part,
        upload::GetFile => services::upload::get_file,
        bots::SetBotCommands => services::bots::set_bot_commands,
        bots::ResetBotCommands => services::bots::reset_bot_commands,
        bots::GetBotCommands => services::bots::get_bot_commands,
        bots::SetBotInfo => services::bots::set_bot_info,
        bots::GetBotInfo => services::bots::get_bot_info,
    )
}

fn for_channels(world: &mut World, ctx: Ctx, id: u32, body: &[u8]) -> Option<Bytes> {
    use services::channels as c;
    route!(id, body, world, ctx;
        channels::GetChannels => c::get_channels,
        channels::GetFullChannel => c::get_full_channel,
        channels::GetMessages => c::get_messages,
        channels::DeleteMessages => c::delete_messages,
        channels::GetParticipant => c::participants::get_participant,
        channels::GetParticipants => c::participants::get_participants,
        channels::EditAdmin => c::participants::edit_admin,
        channels::LeaveChannel => c::leave_channel,
        channels::ExportMessageLink => c::export_message_link,
        channels::ReadHistory => c::read_history,
    )
}

fn unknown(world: &mut World, caller: &Caller, id: u32) -> RpcError {
    world.record(Event::UnknownMethod {
        account: caller.account,
        constructor: format!("{id:08x}"),
        method: tl::name_for_id(id).to_owned(),
    });
    RpcError::bad_request(format!("INPUT_METHOD_INVALID_{id}_{}", caller.layer))
}

fn constructor(body: &[u8]) -> Option<u32> {
    body.first_chunk().copied().map(u32::from_le_bytes)
}
