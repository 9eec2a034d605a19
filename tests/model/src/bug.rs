//! Safeguards taken away, one at a time. The model has to object to each.
//!
//! Each is a switch in the shells or in a script's function of this crate, never in the product's. Invariant: `ALL` names every one of them.

use std::fmt;
use std::str::FromStr;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident = $name:literal,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }

            /// What is taken away.
            pub fn what(self) -> &'static str {
                match self {
                    $(Self::$bug => concat!($($doc),+),)+
                }
            }
        }
    };
}

bugs! {
    /// the commit script does not ask which epoch is open
    NoEpochCheck = "no-epoch-check",
    /// the commit script does not compare versions
    NoVersionCheck = "no-version-check",
    /// nobody remembers what was taken in
    NoWatermarks = "no-watermarks",
    /// the state is stored without the marks of what led to it
    MarksNotKept = "marks-not-kept",
    /// a message is named by the pts that its difference ends with
    IdFromDifference = "id-from-difference",
    /// live updates are given out while the difference before them is fetched
    LiveBeforeCatchUp = "live-before-catch-up",
    /// what was received of a group before its cursor is known is taken in after it
    ReceivedBeforeKept = "received-before-kept",
    /// the first slice of a difference counts as all of it
    FirstSliceOnly = "first-slice-only",
    /// a live update is given out whatever is missing before it
    GapIgnored = "gap-ignored",
    /// a session starts from where the process last heard its box
    CursorFromMemory = "cursor-from-memory",
    /// a cursor moves to whatever was seen last when anything is settled
    CursorOverGap = "cursor-over-gap",
    /// an update is settled before its commit
    SettledBeforeCommit = "settled-before-commit",
    /// what a refused commit was about counts as settled, and the epoch is left
    FencedIsSettled = "fenced-is-settled",
    /// replies are put into the outbox by another script than the state
    RepliesAfterState = "replies-after-state",
    /// a reply's id follows from the count of commits
    EntryIdFromVersion = "entry-id-from-version",
    /// a reply leaves the outbox before it is sent
    SettledBeforeSend = "settled-before-send",
    /// each try has a random id of its own
    RandomIdPerTry = "random-id-per-try",
    /// a sender that is fenced and does not know it reads on in the outbox
    OutboxReadUnfenced = "outbox-read-unfenced",
    /// a sender does not wait for the one before it
    NoTurn = "no-turn",
    /// another login sends what the one before it may have sent
    NoDoubt = "no-doubt",
    /// a cursor passes the bot's own messages unread
    EchoesUnsettled = "echoes-unsettled",
    /// what was sent leaves the outbox only under the epoch in which it was
    SettledByHolderOnly = "settled-by-holder-only",
    /// another bot's prompts are sent as they are
    ForeignPromptsSent = "foreign-prompts-sent",
    /// a reply is parked nowhere
    ParkedNowhere = "parked-nowhere",
    /// who writes is not given his parked replies
    NeverUnparked = "never-unparked",
    /// a new active bot owes nobody a prompt
    NothingOwed = "nothing-owed",
    /// that everybody has been shown where he stands is noted at the beginning
    ResumedTooSoon = "resumed-too-soon",
    /// a standby moves its cursor, and then keeps the messages before it
    KeptAfterCursor = "kept-after-cursor",
    /// a standby keeps nothing
    KeptNothing = "kept-nothing",
    /// a standby that cannot keep what it heard goes on
    KeepGivesUp = "keep-gives-up",
    /// a standby moves the group's cursor
    StandbyMovesChannels = "standby-moves-channels",
    /// conversations are kept in memory beyond their epoch
    CacheOutlivesEpoch = "cache-outlives-epoch",
    /// a lease counts from when its renewal was answered
    LeaseFromAnswer = "lease-from-answer",
    /// a lease is believed in after its time
    LeaseNotAsked = "lease-not-asked",
    /// a lease that was lost and is held again counts as unbroken
    TenancyNotAsked = "tenancy-not-asked",
    /// a lease is given to who is assigned, whoever holds it
    LeaseTakenFromHolder = "lease-taken-from-holder",
    /// what decides who may act counts before a copy has it
    CopyNotAwaited = "copy-not-awaited",
    /// a session goes on when Redis has another history
    HistoryIgnored = "history-ignored",
    /// the leader's scripts do not ask who leads
    LeaderUnchecked = "leader-unchecked",
    /// epochs are counted from what Redis has
    EpochsUnreserved = "epochs-unreserved",
    /// any report of the bot counts as this epoch's test
    AnyReportCounts = "any-report-counts",
    /// the lease of a worker that lives is broken for a takeover
    LiveLeaseBroken = "live-lease-broken",
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bug {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|bug| bug.name() == text);
        found
            .copied()
            .ok_or_else(|| format!("there is no bug `{text}`; see --bugs"))
    }
}
