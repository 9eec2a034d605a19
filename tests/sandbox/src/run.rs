//! One run, from the empty folder to the exit code.
//!
//! set up (2 when that fails) -> warm-up -> fault -> the members finish -> check (0 or 1). Whatever happens, also Ctrl-C in
//! the middle, the daemon is stopped in order before this returns.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use telegram_sim::{Sim, SimConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Args;
use crate::check::{Evidence, Findings, check};
use crate::clock::unix_ms;
use crate::control::Control;
use crate::course::Stage;
use crate::daemon::{Daemon, StatusReader};
use crate::doubts::Doubts;
use crate::driver::{Driver, Hands, Target};
use crate::fault::{Blows, FaultPlan, Move};
use crate::journal;
use crate::keeper::keeper;
use crate::member::Problem;
use crate::report::{Outcome, Report};
use crate::scene::Scene;
use crate::setup::Folder;
use crate::status::Status;
use crate::store::Store;
use crate::view::{Tone, View};
use crate::wire;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    Interrupted,
}

/// Records reach SQL behind the answers.
const SETTLE: Duration = Duration::from_secs(30);
/// From the end of all uploads to the last look.
const LISTENS_ON: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub async fn run(args: &Args) -> Result<Verdict> {
    let mut view = View::new();
    view.title(&format!(
        "understudy sandbox   {} members, fault {}{}, seed {}",
        args.members,
        args.fault.name(),
        args.then
            .map_or_else(String::new, |then| format!(", then {}", then.name())),
        args.seed
    ));
    let mut interrupted = Interrupt::new()?;
    let folder = Folder::make(args.data.as_deref(), args.seed)?;
    let sim = Sim::start(SimConfig {
        seed: args.seed,
        ..SimConfig::default()
    })
    .await
    .context("the simulator")?;
    let control = Control::new(&sim.control_url())?;
    let doubts = Doubts::draw(args.seed, args.fault, args.then);
    let scene = tokio::select! {
        scene = Scene::make(&control, args.members as usize, args.seed, &doubts) => scene.context("the simulator's community")?,
        () = interrupted.wait() => return Ok(Verdict::Interrupted),
    };
    folder.write_config(&scene, sim.mtproto_addr())?;
    view.line(
        Tone::Plain,
        &format!(
            "Telegram is simulated at {}, driven over {}",
            sim.mtproto_addr(),
            sim.control_url()
        ),
    );
    let mut daemon = Daemon::start(&folder)?;
    let status = daemon.status();
    let played = tokio::select! {
        played = play(args, &folder, &control, &scene, &mut daemon, &mut view) => played.map(Some),
        () = interrupted.wait() => Ok(None),
    };
    let Some(played) = played.transpose() else {
        view.line(Tone::Alarm, "interrupted: stopping what was started");
        tell_left(&daemon.stop().await, &view);
        sim.shutdown().await;
        return Ok(Verdict::Interrupted);
    };
    let mut played = match played {
        Ok(played) => played,
        Err(error) => {
            tell_left(&daemon.stop().await, &view);
            sim.shutdown().await;
            return Err(error);
        }
    };
    let verdict;
    if args.stay {
        verdict = tell(args, &played, &view)?;
        stay(
            &folder,
            &sim.control_url(),
            &status,
            &mut interrupted,
            &view,
        )
        .await;
        tell_left(&daemon.stop().await, &view);
    } else {
        let left = daemon.stop().await;
        played
            .findings
            .problems
            .extend(left.iter().map(|process| Problem {
                member: "the supervisor".into(),
                message: "an orderly stop".into(),
                expected: "no process left".into(),
                seen: process.clone(),
            }));
        verdict = tell(args, &played, &view)?;
    }
    sim.shutdown().await;
    view.plain(&format!(
        "everything of this run is in {}",
        folder.root.display()
    ));
    Ok(verdict)
}

async fn play(
    args: &Args,
    folder: &Folder,
    control: &Control,
    scene: &Scene,
    daemon: &mut Daemon,
    view: &mut View,
) -> Result<Outcome> {
    let ready = daemon.ready().await?;
    view.line(Tone::Plain, &format!("understudy is {ready}"));
    let (orders, keeper) = keeper();
    let hands = Hands {
        control: control.clone(),
        status: daemon.status(),
        orders,
        root: folder.root.clone(),
    };
    let mut driver = Driver::new(control.clone(), scene, args.reach, args.seed);
    let story = async {
        warm_up(&mut driver, &hands.status, view).await?;
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        let plan = FaultPlan::draw(args.seed, args.fault, args.then, &mut rng);
        let target = Target::of(&hands.status.read().await?)
            .context("understudy status names no active bot with a process")?;
        driver.strike(&plan, &hands, target, view).await?;
        driver.finish(view).await?;
        driver.call_up(view).await?;
        let blows = driver.blows.context("the fault left no trace")?;
        let supervisor_down_ms = hands.orders.all_quiet().await?;
        settle(&mut driver, folder, control, scene, view).await?;
        let status = recorded(&hands.status, &blows).await?;
        let findings = judge(&driver, blows, folder, control, scene, &status.moves()).await?;
        let events = control.all_events(wire::KINDS).await?;
        Ok(Outcome {
            members: driver.members.len(),
            seed: args.seed,
            doubts: Doubts::draw(args.seed, args.fault, args.then),
            blows,
            missed: driver.missed,
            findings,
            wire: wire::inspect(&events, &status.switches().collect::<Vec<_>>()),
            status,
            journal: journal::read(&folder.state())?,
            supervisor_down_ms,
        })
    };
    tokio::select! {
        played = story => played,
        ended = keeper.keep(daemon) => ended.map(|never| match never {}),
    }
}

/// The status once Redis answers and the switches that must be in the record are there; as it is when that takes too long.
async fn recorded(status: &StatusReader, blows: &Blows) -> Result<Status> {
    let deadline = unix_ms() + i64::try_from(SETTLE.as_millis()).unwrap_or(0);
    let since = blows.first.at_ms;
    let wanted = usize::from(blows.need_switch());
    loop {
        let now = status.read().await?;
        let switches = now.switches().filter(|switch| {
            switch.kind != "first" && switch.detected_at.is_some_and(|at| at >= since - 1_000)
        });
        let recorded = switches.count();
        let is_whole = now.redis.appendfsync.is_some() && recorded >= wanted;
        if is_whole || unix_ms() > deadline {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn warm_up(driver: &mut Driver, status: &StatusReader, view: &mut View) -> Result<()> {
    let group = driver
        .members
        .iter()
        .filter(|member| !member.is_private())
        .count();
    view.line(
        Tone::Plain,
        &format!(
            "{} members begin their uploads, {group} of them in the group, the others in private",
            driver.members.len()
        ),
    );
    driver.warm_up(view).await?;
    let wanted = driver.reached() as u64;
    let deadline = unix_ms() + 10_000;
    loop {
        let known = status.read().await?.least_reach();
        if known >= wanted {
            break;
        }
        if unix_ms() > deadline {
            anyhow::bail!("{wanted} members started every bot, a standby knows of {known} only");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut steps = std::collections::BTreeMap::new();
    for step in driver
        .members
        .iter()
        .filter_map(|member| member.upload.step())
    {
        *steps.entry(step).or_insert(0) += 1;
    }
    let steps: Vec<String> = steps
        .iter()
        .map(|(step, count)| format!("{count} at {}", step.name()))
        .collect();
    view.line(
        Tone::Plain,
        &format!(
            "all in the middle: {}; each bot may write to {wanted} of them",
            steps.join(", ")
        ),
    );
    Ok(())
}

/// Waits for what is still on its way to SQL and the channel, and a while longer.
async fn settle(
    driver: &mut Driver,
    folder: &Folder,
    control: &Control,
    scene: &Scene,
    view: &mut View,
) -> Result<()> {
    let submitted = driver
        .members
        .iter()
        .filter(|member| member.upload.stage == Stage::Submitted)
        .count();
    let store = Store::open(&folder.state().join("understudy.db")).await?;
    let deadline = unix_ms() + i64::try_from(SETTLE.as_millis()).unwrap_or(0);
    while (store.count().await? < submitted
        || control.posts(scene.broadcast).await?.len() < submitted)
        && unix_ms() < deadline
    {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // A second post, row or message that comes late is seen as well.
    driver.listen(LISTENS_ON, view).await
}

/// Compares.
async fn judge(
    driver: &Driver,
    blows: Blows,
    folder: &Folder,
    control: &Control,
    scene: &Scene,
    moves: &[Move],
) -> Result<Findings> {
    let store = Store::open(&folder.state().join("understudy.db")).await?;
    let courses = store.courses().await?;
    let posts: Vec<String> = control
        .posts(scene.broadcast)
        .await?
        .into_iter()
        .map(|post| post.text)
        .collect();
    Ok(check(&Evidence {
        members: &driver.members,
        parked: &driver.parked,
        waited: &driver.waited,
        blows,
        bots: &scene.bots.iter().map(|bot| bot.id).collect::<Vec<_>>(),
        moves,
        courses: &courses,
        posts: &posts,
    }))
}

fn tell(args: &Args, played: &Outcome, view: &View) -> Result<Verdict> {
    let report = Report::new(played);
    view.card(&report);
    if let Some(path) = &args.report {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, json + "\n")
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    Ok(if report.passed {
        Verdict::Passed
    } else {
        Verdict::Failed
    })
}

async fn stay(
    folder: &Folder,
    control: &str,
    status: &StatusReader,
    interrupted: &mut Interrupt,
    view: &View,
) {
    view.plain("everything keeps running until Ctrl-C; look at it:");
    view.plain(&format!("  {}", status.command_line()));
    view.plain(&format!("  tail -f {}", folder.log().display()));
    view.plain(&format!("  curl -s '{control}/v1/state'"));
    interrupted.wait().await;
    view.plain("");
    view.plain("stopping");
}

fn tell_left(left: &[String], view: &View) {
    for process in left {
        view.line(
            Tone::Bad,
            &format!("this process was left and is killed: {process}"),
        );
    }
}

/// Ctrl-C, or what a service manager sends.
struct Interrupt {
    ctrl_c: tokio::signal::unix::Signal,
    term: tokio::signal::unix::Signal,
}

impl Interrupt {
    fn new() -> Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            ctrl_c: on(SignalKind::interrupt())?,
            term: on(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}
