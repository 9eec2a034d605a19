//! The checkpoint over a real Redis and a real database: what is copied, in which order it may be cut off, and what comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The builders of the tests of either store are used in part.
#![allow(dead_code)]

#[path = "redis/build.rs"]
mod build;
#[path = "checkpoint/copying.rs"]
mod copying;
#[path = "checkpoint/cut_off.rs"]
mod cut_off;
#[path = "checkpoint/notes.rs"]
mod notes;
#[path = "checkpoint/refused.rs"]
mod refused;
#[path = "checkpoint/restoring.rs"]
mod restoring;
#[path = "checkpoint/sentinel.rs"]
mod sentinel;
#[path = "redis/server.rs"]
mod server;
#[path = "checkpoint/stage.rs"]
mod stage;
#[path = "sql/support.rs"]
mod support;

use postgres_server::Server;
use support::Data;

macro_rules! on_both {
    ($($module:ident: $($test:ident),+;)+) => {
        mod on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(super::Data::sqlite()).await;
                }
            )+)+
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_postgres() {
            let server = Server::start().unwrap();
            $($(
                eprintln!("{}", stringify!($test));
                $module::$test(Data::postgres(&server)).await;
            )+)+
        }
    };
}

on_both! {
    restoring:
        everything_that_was_copied_comes_back,
        what_redis_has_besides_is_gone_after_a_restoring,
        who_is_to_be_reminded_still_will_be,
        a_restoring_that_was_cut_short_is_never_served_and_begun_again;
    copying:
        what_was_sent_leaves_the_copy_with_the_next_turn,
        a_history_that_was_never_copied_is_copied_whole,
        a_conversation_that_was_forgotten_and_begins_anew_is_copied,
        what_is_damaged_does_not_replace_what_could_be_read,
        while_the_database_is_away_marks_wait_and_follow;
    notes:
        what_waits_in_redis_becomes_rows_once_and_what_is_refused_blocks_nobody,
        while_the_database_is_away_notes_stay;
    refused:
        a_record_that_sql_refuses_is_kept_whatever_is_lost_and_goes_there_in_the_end,
        a_record_that_was_refused_and_is_tried_again_is_in_one_place_of_the_copy,
        a_record_that_is_refused_while_the_queues_are_read_is_in_the_copy;
    cut_off:
        what_a_killed_leader_had_taken_is_copied_by_the_next,
        a_leader_that_wakes_up_late_writes_nothing,
        a_redis_that_was_emptied_or_rolled_back_is_not_copied,
        cut_off_anywhere_no_update_and_no_reply_is_lost;
}
