//! A history: operations drawn from a seed, run against a world, and the rest of the time until everything has come to rest.
//!
//! Invariant: the same operations under the same seed always lead to the same end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::bug::Bug;
use crate::check;
use crate::fixed::{BOTS, Fixed, SUPERVISORS, WORKERS};
use crate::ghost::Wrong;
use crate::op::{Op, Setup};
use crate::sim::rng::Rng;
use crate::sim::{Sim, World};
use crate::stage::Stage;

/// Time from when faults stop until everything must have come to rest.
pub const BOUND: u64 = 180_000;
/// Between two looks at whether it has.
const LOOK: u64 = 100;
/// A history that is warm has an open epoch when its operations begin, or has waited for one for so long.
const WARM: u64 = 4_000;

/// What a history came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub events: u64,
    pub virtual_ms: u64,
    pub settled_ms: u64,
    pub commits: u64,
    pub epochs: u64,
    pub repeats: u64,
    pub lost_keys: u64,
}

/// A history that broke a rule.
#[derive(Debug, Clone)]
pub struct Failure {
    pub wrong: Wrong,
    pub trace: Vec<String>,
}

/// The operations of a seed.
pub fn draw(seed: u64) -> (Setup, Vec<Op>) {
    let mut rng = Rng::of(seed, 7);
    let setup = Setup::draw(&mut rng);
    let length = rng.range(20, 90);
    let faults = Op::faults(&mut rng);
    let ops = (0..length).map(|_| Op::draw(&mut rng, &faults)).collect();
    (setup, ops)
}

/// Runs one history to its end.
pub fn run(
    seed: u64,
    setup: Setup,
    ops: &[Op],
    bug: Option<Bug>,
    fixed: &Rc<Fixed>,
    trace: bool,
) -> Result<Figures, Failure> {
    let sim = World::new(seed, bug, Rc::clone(fixed), trace);
    let run = AssertUnwindSafe(|| play(&sim, setup, ops));
    let result = catch_unwind(run).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Err(Wrong::Panic(said.unwrap_or_default()))
    });
    sim.clear();
    // What still held the world would hold it for ever: a million histories need their memory back.
    debug_assert_eq!(Rc::strong_count(&sim), 1, "the world is held by something");
    let trace = sim.trace.as_ref().map(|lines| lines.borrow().clone());
    result.map_err(|wrong| Failure {
        wrong,
        trace: trace.unwrap_or_default(),
    })
}

fn play(sim: &Sim, setup: Setup, ops: &[Op]) -> Result<Figures, Wrong> {
    let mut stage = Stage::new(sim, setup);
    let mut figures = Figures::default();
    if setup.warm {
        let until = sim.now() + WARM;
        while sim.now() < until && check::holder(sim).is_none() {
            advance(sim, sim.now() + LOOK, &mut figures)?;
        }
    }
    for op in ops {
        sim.say(|| format!("--- {op:?}"));
        match *op {
            Op::Events(count) => {
                for _ in 0..count {
                    figures.events += 1;
                    sim.step(sim.now() + 250);
                    rule(sim)?;
                }
            }
            Op::Time(ms) => advance(sim, sim.now() + u64::from(ms), &mut figures)?,
            _ => {
                op.apply(&mut stage);
                rule(sim)?;
            }
        }
    }
    sim.say(|| "--- faults stop".to_owned());
    stage.heal();
    settle(sim, &mut figures)?;
    let ghost = sim.ghost.borrow();
    figures.commits = ghost.commits;
    figures.epochs = ghost.opened;
    figures.repeats = ghost.repeats;
    figures.lost_keys = ghost.lost_keys;
    figures.virtual_ms = sim.now();
    Ok(figures)
}

fn settle(sim: &Sim, figures: &mut Figures) -> Result<(), Wrong> {
    let stopped = sim.now();
    // What was decided on the way is carried out before rest counts.
    advance(sim, stopped + LOOK, figures)?;
    loop {
        match check::unrest(sim) {
            None => break,
            Some(what) if sim.now() - stopped >= BOUND => return Err(Wrong::NotSettled(what)),
            Some(_) => advance(sim, sim.now() + LOOK, figures)?,
        }
    }
    figures.settled_ms = sim.now() - stopped;
    check::at_rest(sim)
}

fn advance(sim: &Sim, until: u64, figures: &mut Figures) -> Result<(), Wrong> {
    while sim.step(until) {
        figures.events += 1;
        rule(sim)?;
    }
    Ok(())
}

fn rule(sim: &Sim) -> Result<(), Wrong> {
    match sim.ghost.borrow_mut().wrong.take() {
        Some(wrong) => Err(wrong),
        None => Ok(()),
    }
}

/// How many bots, workers and supervisors there are; for reports.
pub fn cast() -> (usize, usize, usize) {
    (BOTS.len(), WORKERS, SUPERVISORS)
}
