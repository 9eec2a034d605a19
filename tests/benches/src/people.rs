//! Members who ask, and when they were answered by what the simulator's log says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::control::{Chat, Content, Control, Event};
use shared_io::clock;
use tokio::task::JoinHandle;

use crate::system::System;

const ASKS: &str = "/help";
const ANSWERED: &str = "What I know";
const PATIENCE: Duration = Duration::from_secs(60);
/// A chat takes one message a second.
const EACH: Duration = Duration::from_millis(1_400);

/// Asks as this member, in this chat; when it was answered, in unix milliseconds.
pub async fn ask(system: &System, member: usize, chat: Chat) -> Result<i64> {
    let member = system.scene.members[member % system.scene.members.len()].id;
    let mut after = system.control.last_event().await?;
    let text = Content::Text(ASKS.to_owned());
    system.control.send(member, chat, &text, None).await?;
    let until = clock::boot_now().plus(PATIENCE);
    let answers = |event: &Event| {
        let here = match chat {
            Chat::Bot(bot) => {
                event.number("account") == Some(bot) && event.chat("user") == Some(member)
            }
            Chat::Channel(channel) => event.flag("bot") && event.chat("channel") == Some(channel),
        };
        here && event
            .text("text")
            .is_some_and(|text| text.contains(ANSWERED))
    };
    while clock::boot_now() < until {
        let page = system.control.events(after, 1_000, "message_sent").await?;
        if let Some(event) = page.events.iter().find(|event| answers(event)) {
            return Ok(event.unix_ms);
        }
        after = page.next;
    }
    bail!("nobody answered within {} s", PATIENCE.as_secs())
}

/// Members who never stop talking to the bot that they know of, until it is dropped.
pub struct Talkers {
    bot: Arc<AtomicI64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Talkers {
    pub fn start(control: &Control, members: &[i64], bot: i64, seed: u64) -> Self {
        let control = Arc::new(control.clone());
        let knows = Arc::new(AtomicI64::new(bot));
        let talk = |(number, member): (usize, &i64)| {
            let (control, member) = (Arc::clone(&control), *member);
            let knows = Arc::clone(&knows);
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ ((number as u64) << 32));
            tokio::spawn(async move {
                loop {
                    let pause = EACH.mul_f64(rng.random_range(1.0..2.0));
                    tokio::time::sleep(pause).await;
                    let text = Content::Text(ASKS.to_owned());
                    let chat = Chat::Bot(knows.load(Ordering::Relaxed));
                    // The simulator always takes it; what is not answered shows in the figures.
                    let _sent = control.send(member, chat, &text, None).await;
                }
            })
        };
        let tasks = members.iter().enumerate().map(talk).collect();
        Self { bot: knows, tasks }
    }

    /// From here on they talk to this one.
    pub fn turn_to(&self, bot: i64) {
        self.bot.store(bot, Ordering::Relaxed);
    }
}

impl Drop for Talkers {
    fn drop(&mut self) {
        for talker in &self.tasks {
            talker.abort();
        }
    }
}

/// The first of the scene's members are asked about, the others talk.
pub fn parted(system: &System, asking: usize) -> Result<Vec<i64>> {
    let members = system.scene.members.get(asking..);
    let members = members.context("fewer members than are needed")?;
    Ok(members.iter().map(|member| member.id).collect())
}
