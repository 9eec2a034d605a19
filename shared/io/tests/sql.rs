//! The store's contract over a real SQLite file and over a real PostgreSQL, opened by several at once as supervisor and workers do.
//!
//! Each test of the contract is a function of a database that is its own. A PostgreSQL takes half a second to make, so one server
//! serves the whole contract.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "sql/fleet.rs"]
mod fleet;
#[path = "sql/open.rs"]
mod open;
#[path = "sql/orders.rs"]
mod orders;
#[path = "sql/postgres.rs"]
mod postgres;
#[path = "sql/records.rs"]
mod records;
#[path = "sql/sealed.rs"]
mod sealed;
#[path = "sql/sqlite.rs"]
mod sqlite;
#[path = "sql/support.rs"]
mod support;

use postgres_server::Server;
use support::Data;

macro_rules! contract {
    ($($module:ident: $($test:ident),+;)+) => {
        mod on_sqlite {
            use super::support::Data;

            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$module::$test(Data::sqlite()).await;
                }
            )+)+
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn postgres_keeps_the_same_contract() {
            let server = Server::start().unwrap();
            let tasks = tokio::task::LocalSet::new();
            let mut running = Vec::new();
            $($(
                let data = Data::postgres(&server);
                running.push((stringify!($test), tasks.spawn_local($module::$test(data))));
            )+)+
            let mut failed = Vec::new();
            tasks.await;
            for (name, test) in running {
                if test.await.is_err() {
                    failed.push(name);
                }
            }
            assert!(failed.is_empty(), "{failed:#?}");
        }
    };
}

contract! {
    fleet:
        bots_keep_their_order_and_what_is_known_of_them,
        a_login_belongs_to_a_bot_and_is_replaced_in_its_slot,
        no_epoch_is_reserved_twice_whoever_asks,
        a_reservation_goes_above_what_redis_has_seen,
        one_leader_names_the_lineage,
        one_leader_at_a_time_is_noted_and_a_late_one_is_not;
    orders:
        login_attempts_are_counted_per_bot_and_forgotten_once_their_waiting_has_ended,
        overrides_are_replaced_as_a_whole,
        admin_actions_are_kept_as_they_came_first,
        the_events_of_all_pools_can_be_followed_without_missing_one;
    records:
        a_record_that_comes_twice_is_there_once_as_it_came_first,
        courses_are_listed_in_order_with_their_files,
        what_no_database_can_hold_is_replaced_and_the_record_is_kept,
        a_switch_is_written_when_members_are_served_and_again_when_it_is_complete,
        channels_decisions_and_events_read_back_as_they_were_written;
    sealed:
        sealed_columns_are_read_in_portions_and_replaced_only_as_they_were_read,
        everything_is_sealed_anew_whenever_it_was_stopped;
    open:
        what_was_stored_is_there_when_it_is_opened_again,
        many_that_start_at_once_on_nothing_make_one_schema,
        a_database_of_a_later_program_is_refused_in_one_line,
        a_migration_that_was_changed_after_it_ran_is_refused,
        a_row_that_nobody_here_wrote_is_an_error_that_names_the_bot,
        waiting_for_another_writer_ends_and_may_be_repeated,
        a_column_that_a_later_release_adds_disturbs_nobody;
}
