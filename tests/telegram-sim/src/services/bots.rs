//! `bots.*`: command lists per scope and language, name and descriptions. A scope hides commands, it authorises nothing.

use grammers_tl_types as tl;
use tl::functions::bots;
use tl::{Serializable, enums, types};

use crate::dispatch::Ctx;
use crate::world::{CommandKey, RpcError, UserId, World};

const COMMANDS_MAX: usize = 100;
const NAME_MAX: usize = 32;
const DESCRIPTION_MAX: usize = 256;

pub(crate) fn set_bot_commands(
    world: &mut World,
    ctx: Ctx,
    request: bots::SetBotCommands,
) -> Result<bool, RpcError> {
    let key = command_key(&request.scope, &request.lang_code);
    let commands: Vec<types::BotCommand> = request
        .commands
        .into_iter()
        .map(|enums::BotCommand::Command(command)| command)
        .collect();
    check_commands(&commands)?;
    world.bot_mut(ctx.me)?.commands.insert(key, commands);
    Ok(true)
}

pub(crate) fn reset_bot_commands(
    world: &mut World,
    ctx: Ctx,
    request: bots::ResetBotCommands,
) -> Result<bool, RpcError> {
    let key = command_key(&request.scope, &request.lang_code);
    world.bot_mut(ctx.me)?.commands.remove(&key);
    Ok(true)
}

pub(crate) fn get_bot_commands(
    world: &mut World,
    ctx: Ctx,
    request: bots::GetBotCommands,
) -> Result<Vec<enums::BotCommand>, RpcError> {
    let key = command_key(&request.scope, &request.lang_code);
    let commands = world
        .bot(ctx.me)?
        .commands
        .get(&key)
        .cloned()
        .unwrap_or_default();
    Ok(commands.into_iter().map(Into::into).collect())
}

pub(crate) fn set_bot_info(
    world: &mut World,
    ctx: Ctx,
    request: bots::SetBotInfo,
) -> Result<bool, RpcError> {
    let target = own(world, ctx.me, request.bot.as_ref())?;
    if let Some(name) = request.name {
        world.account_mut(target)?.first_name = name;
    }
    let bot = world.bot_mut(target)?;
    if let Some(about) = request.about {
        bot.about = about;
    }
    if let Some(description) = request.description {
        bot.description = description;
    }
    Ok(true)
}

pub(crate) fn get_bot_info(
    world: &mut World,
    ctx: Ctx,
    request: bots::GetBotInfo,
) -> Result<enums::bots::BotInfo, RpcError> {
    let target = own(world, ctx.me, request.bot.as_ref())?;
    let name = world.account(target)?.first_name.clone();
    let bot = world.bot(target)?;
    let (about, description) = (bot.about.clone(), bot.description.clone());
    Ok(types::bots::BotInfo {
        name,
        about,
        description,
    }
    .into())
}

/// A bot speaks for itself only.
fn own(world: &World, me: UserId, bot: Option<&enums::InputUser>) -> Result<UserId, RpcError> {
    let target = bot.map_or(Ok(me), |bot| world.resolve_user(me, bot))?;
    if target == me {
        Ok(me)
    } else {
        Err(RpcError::bad_request("BOT_INVALID"))
    }
}

fn command_key(scope: &enums::BotCommandScope, lang_code: &str) -> CommandKey {
    (scope.to_bytes(), lang_code.to_owned())
}

fn check_commands(commands: &[types::BotCommand]) -> Result<(), RpcError> {
    let valid_name = |name: &str| {
        (1..=NAME_MAX).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if commands.len() > COMMANDS_MAX || !commands.iter().all(|command| valid_name(&command.command))
    {
        return Err(RpcError::bad_request("BOT_COMMAND_INVALID"));
    }
    let valid_description = |text: &str| (1..=DESCRIPTION_MAX).contains(&text.chars().count());
    if !commands
        .iter()
        .all(|command| valid_description(&command.description))
    {
        return Err(RpcError::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str]) -> Option<String> {
        let command = |name: &&str| types::BotCommand {
            ephemeral: false,
            command: (*name).to_owned(),
            description: "does".into(),
        };
        let commands: Vec<_> = names.iter().map(command).collect();
        check_commands(&commands).err().map(|error| error.message)
    }

    #[test]
    fn names_are_short_lower_case_and_at_most_a_hundred() {
        assert_eq!(check(&["start", "drstatus_2"]), None);
        assert_eq!(check(&["Start"]).as_deref(), Some("BOT_COMMAND_INVALID"));
        assert_eq!(
            check(&[&"a".repeat(33)]).as_deref(),
            Some("BOT_COMMAND_INVALID")
        );
        assert_eq!(check(&[""; 1]).as_deref(), Some("BOT_COMMAND_INVALID"));
        assert_eq!(check(&["a"; 101]).as_deref(), Some("BOT_COMMAND_INVALID"));
    }
}
