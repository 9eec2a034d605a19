//! Commands: `/name`, `/name@bot`, and what follows the name.
//!
//! In a group several bots listen: a command that names a bot is ours only if it names one of the pool's, and an unknown
//! command that names nobody is taken for another bot's.

use shared_core::PlaceKey;

use crate::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    Start { payload: &'a str },
    Help,
    Cancel,
    Resume,
    Upload,
}

/// What a text is, seen as a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'a> {
    Known(Command<'a>),
    /// Starts like a command, in a place where it can only be meant for us.
    Unknown(&'a str),
    /// For another bot.
    Foreign,
    NotACommand,
}

pub fn parse<'a>(text: &'a str, ctx: &Context<'_>) -> Parsed<'a> {
    let Some(after) = text.trim().strip_prefix('/') else {
        return Parsed::NotACommand;
    };
    let (word, rest) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    let (name, bot) = match word.split_once('@') {
        Some((name, bot)) => (name, Some(bot)),
        None => (word, None),
    };
    if bot.is_some_and(|bot| !is_ours(bot, ctx)) {
        return Parsed::Foreign;
    }
    match name.to_ascii_lowercase().as_str() {
        "start" => Parsed::Known(Command::Start {
            payload: rest.trim(),
        }),
        "help" => Parsed::Known(Command::Help),
        "cancel" => Parsed::Known(Command::Cancel),
        "resume" => Parsed::Known(Command::Resume),
        "upload" => Parsed::Known(Command::Upload),
        // In private the worker's admin desk has them before anybody else; in groups nobody answers them.
        name if crate::admin::is_command(name) => Parsed::Foreign,
        _ if bot.is_none() && ctx.key.place != PlaceKey::Private => Parsed::Foreign,
        _ => Parsed::Unknown(name),
    }
}

/// The text without a mention of one of our bots at its start or end: how a member addresses us in a group.
pub fn without_mention<'a>(text: &'a str, ctx: &Context<'_>) -> &'a str {
    let text = text.trim();
    if ctx.key.place == PlaceKey::Private {
        return text;
    }
    let mentions = |word: &str| {
        let word = word.trim_end_matches([',', ':']);
        word.strip_prefix('@').is_some_and(|bot| is_ours(bot, ctx))
    };
    let first = text.split_whitespace().next().unwrap_or("");
    if mentions(first) {
        return text[first.len()..].trim_start();
    }
    let last = text.split_whitespace().next_back().unwrap_or("");
    if mentions(last) {
        return text[..text.len() - last.len()].trim_end();
    }
    text
}

fn is_ours(username: &str, ctx: &Context<'_>) -> bool {
    let known = ctx.pool_usernames.iter().map(String::as_str);
    known
        .chain([ctx.me_username])
        .chain(ctx.previous_username)
        .any(|ours| ours.eq_ignore_ascii_case(username))
}
