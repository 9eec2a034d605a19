//! A bot's calls to Telegram over one connection, each held against the lease right before it leaves.

use std::rc::Rc;

use shared_core::{BotId, ErrorClass};

use super::bot::Bot;
use super::guard::Tenancy;
use crate::ghost::{Ghost, Wrong};
use crate::sim::net::{Server, TIMEOUT};
use crate::sim::{Ctx, Sim};
use crate::telegram::{Line, NETWORK, Refused, Telegram, Update};

#[derive(Clone)]
pub struct Calls {
    pub ctx: Ctx,
    pub bot: Rc<Bot>,
    pub line: Rc<Line>,
    pub tenancy: Tenancy,
}

impl Calls {
    /// One call. A line that is silent carries it, or not, and never answers.
    pub async fn call<T: 'static>(
        &self,
        f: impl FnOnce(&mut Telegram, &mut Ghost, BotId, &Sim) -> Result<T, Refused> + 'static,
    ) -> Result<T, Refused> {
        let sim = &self.ctx.sim;
        if !self.bot.cell.holds(self.tenancy, sim.boot()) {
            return Err(NETWORK);
        }
        if !self.bot.cell.is_held(sim.boot()) {
            let bot = self.bot.id();
            sim.ghost.borrow_mut().fail(Wrong::WithoutLease(bot));
        }
        if self.line.lost.get() {
            self.ctx.sleep(1).await;
            return Err(NETWORK);
        }
        let (id, bot, asked) = (self.line.id, self.bot.lease.bot, sim.now());
        let silent = sim.telegram.borrow().is_silent(bot, sim.now());
        let swallowed = silent && sim.net.borrow_mut().chance(self.ctx.host(), 50);
        if swallowed {
            self.ctx.sleep(TIMEOUT).await;
            return Err(NETWORK);
        }
        let answer = self.ctx.call(Server::Telegram, move |sim| {
            let mut telegram = sim.telegram.borrow_mut();
            let mut ghost = sim.ghost.borrow_mut();
            let bot = telegram.hears(&mut ghost, id, asked, sim.now())?;
            f(&mut telegram, &mut ghost, bot, sim)
        });
        if silent {
            self.ctx.sleep(TIMEOUT).await;
            return Err(NETWORK);
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(NETWORK),
        }
    }

    /// `getState`: where the private box is.
    pub async fn state(&self) -> Result<i32, Refused> {
        self.call(|telegram, _, bot, _| Ok(telegram.pts(shared_core::BoxId::Private(bot))))
            .await
    }
}

/// Gives an update to everybody who listens: late, twice, or not at all, as it comes.
pub fn push(sim: &Sim, update: &Update) {
    let listeners = sim.telegram.borrow().listeners(update.r#box, sim.now());
    for (line, host) in listeners {
        let mut net = sim.net.borrow_mut();
        let bad = net.bad(host, Server::Telegram);
        let copies = match (net.chance(host, 2 + bad), net.chance(host, 2 + bad / 2)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        for _ in 0..copies {
            let at = sim.now() + net.push_latency(host);
            let (line, update) = (Rc::clone(&line), update.clone());
            sim.at(at, move |sim| {
                if sim.net.borrow().passes(host, Server::Telegram) {
                    line.inbox
                        .borrow_mut()
                        .push_back(crate::telegram::Pushed::Update(update));
                    line.bell.ring();
                }
            });
        }
    }
}

/// A call that brought nothing, and may be made again.
pub fn is_retryable(refused: Refused) -> bool {
    matches!(refused.0, ErrorClass::Network | ErrorClass::Server)
}
