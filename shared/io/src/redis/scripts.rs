//! The scripts, as files: each is the shared prelude and its own text.
//!
//! Invariant: a script that is guarded by a fence checks it before its first write, so a refusal has changed nothing (but the count of
//! refusals). What Redis does
//! not roll back (an error after a write) cannot come up: the keys' types are only ever ours.

use std::sync::LazyLock;

use ::redis::Script;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                include_str!("lua/prelude.lua"),
                include_str!(concat!("lua/", $file))
            ))
        });
    )*};
}

scripts! {
    COMMIT = "commit.lua";
    DUE_TIMERS = "due_timers.lua";
    PUT_OFF_TIMER = "put_off_timer.lua";
    QUARANTINE = "quarantine.lua";
    RESTORE_QUARANTINED = "restore_quarantined.lua";
    ENQUEUE = "enqueue.lua";
    SETTLE = "settle.lua";
    SPEND_WORDS = "spend_words.lua";
    DISCARD = "discard.lua";
    PARK = "park.lua";
    UNPARK = "unpark.lua";
    POISON = "poison.lua";
    REFUSE = "refuse.lua";
    UNPOISON = "unpoison.lua";
    REFUSE_RECORD = "refuse_record.lua";
    RETRY_RECORDS = "retry_records.lua";
    ANNOUNCED = "announced.lua";
    HELD_SETTLE = "held_settle.lua";
    BEGIN_RESUMPTION = "begin_resumption.lua";
    RESUMED = "resumed.lua";
    PUT_SMOKE = "put_smoke.lua";
    READ_OUTBOX = "read_outbox.lua";
    SWAP_FIELD = "swap_field.lua";
    BEGIN_SENDING = "begin_sending.lua";
    END_SENDING = "end_sending.lua";
    MOVE_CHANNELS = "move_channels.lua";
    RENEW_LEASES = "renew_leases.lua";
    COMMIT_PRIVATE = "commit_private.lua";
    PROBE_WRITE = "probe_write.lua";
    TAKE_LEAD = "take_lead.lua";
    DELETE_OWN = "delete_own.lua";
    LEADER_WRITE = "leader_write.lua";
    BREAK_LEASE = "break_lease.lua";
    FENCE = "fence.lua";
    ACTIVATE = "activate.lua";
    OPEN_EPOCH = "open_epoch.lua";
    CONFIRM = "confirm.lua";
    BEAT = "beat.lua";
    HEARTBEATS = "heartbeats.lua";
    CLAIM_NAME = "claim_name.lua";
    REPORT_DEATH = "report_death.lua";
    SHOW_SUPERVISOR = "show_supervisor.lua";
    SUBMIT_ORDER = "submit_order.lua";
    ORDERS = "orders.lua";
    ADVANCE_ORDER = "advance_order.lua";
    FORGET_ORDERS = "forget_orders.lua";
    OFFER = "offer.lua";
    TAKE_OFFER = "take_offer.lua";
    TAKE_MARKS = "take_marks.lua";
    RESTORE_BEGIN = "restore_begin.lua";
    RESTORE_WRITE = "restore_write.lua";
    RESTORE_FINISH = "restore_finish.lua";
}
