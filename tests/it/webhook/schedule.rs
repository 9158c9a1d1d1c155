//! When each delivery is answered, and with what: tables of all that happens to a push.

use super::*;

#[test]
fn held_pushes_are_run_once_and_the_delivery_that_waits_gets_the_reply() {
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(0)], USUAL, "0 #1 reply, 0 run"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(4_600)], USUAL, "0 run, 4600 #1 reply"),
            (&[Answers(4_999)], USUAL, "0 run, 4999 #1 reply"),
            (&[Answers(5_030)], USUAL, "0 run, 5000 #1 gone, 5070 #2 reply"),
            (&[Answers(6_000)], USUAL, "0 run, 5000 #1 gone, 6000 #2 reply"),
            (&[Answers(9_000)], USUAL, "0 run, 5000 #1 gone, 9000 #2 reply"),
            (&[Answers(12_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 12000 #3 reply"),
            (&[Answers(14_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14000 #3 reply"),
            (&[Answers(14_579)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14579 #3 reply"),
            (&[Answers(14_581)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success, 14581 late"),
            (&[Answers(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success, 20000 late"),
            (&[Succeeds(0)], USUAL, "0 #1 success, 0 run"),
            (&[Succeeds(6_000)], USUAL, "0 run, 5000 #1 gone, 6000 #2 success"),
            (&[Succeeds(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success"),
        ],
    );
}

#[test]
fn a_failure_is_a_second_chance_for_the_next_delivery() {
    quiet_panics();
    check(
        "text",
        |builder| builder,
        &[
            (
                &[Fails(0)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 #3 success, 10080 failed, 10080 run",
            ),
            (
                &[Panics(0)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 #3 success, 10080 failed, 10080 run",
            ),
            (
                &[Fails(1_000)],
                USUAL,
                "0 run, 1000 failed, 5000 #1 gone, 5070 run, 6070 failed, 10070 #2 gone, 10080 run, 11080 #3 success, 11080 failed",
            ),
            (
                &[Panics(1_000)],
                USUAL,
                "0 run, 1000 failed, 5000 #1 gone, 5070 run, 6070 failed, 10070 #2 gone, 10080 run, 11080 #3 success, 11080 failed",
            ),
            // The second delivery waits for the first one's run, and starts its own when that has failed.
            (
                &[Fails(6_000), Answers(1_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 7000 #2 reply of run 2",
            ),
            (
                &[Fails(6_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 10070 #2 gone, 12000 failed, 12000 run, 14580 #3 success, 18000 failed",
            ),
            (&[Panics(0), Answers(0)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 reply of run 2, 5070 run"),
            (
                &[Fails(0), Fails(0), Answers(6_000)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 run, 14580 #3 success, 16080 late",
            ),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::Status500),
        &[
            (
                &[Fails(0)],
                USUAL,
                "0 #1 500, 0 failed, 0 run, 5070 #2 500, 5070 failed, 5070 run, 10080 #3 500, 10080 failed, 10080 run",
            ),
            (&[Panics(1_000), Answers(0)], USUAL, "0 run, 1000 #1 500, 1000 failed, 5070 #2 reply of run 2, 5070 run"),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::Acknowledge),
        &[
            (&[Fails(0)], USUAL, "0 #1 success, 0 failed, 0 run"),
            (
                &[Fails(6_000)],
                USUAL,
                "0 run, 5000 #1 gone, 6000 failed, 6000 run, 10070 #2 gone, 12000 failed, 12000 run, 14580 #3 success, 18000 failed",
            ),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::HoldAlways),
        &[
            (
                &[Fails(0)],
                USUAL,
                "0 failed, 0 run, 5000 #1 gone, 5070 failed, 5070 run, 10070 #2 gone, 10080 failed, 10080 run, 15080 #3 gone",
            ),
            (&[Fails(0), Succeeds(0)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 success, 5070 run"),
        ],
    );
    check(
        "text",
        |builder| builder.on_error(OnError::HoldAlways).max_held(0),
        &[(&[Fails(0), Succeeds(0)], USUAL, "0 #1 503, 0 failed, 0 run, 5070 #2 success, 5070 run")],
    );
    // A failure is held whatever the push: silence makes WeChat retry.
    check(
        "VIEW",
        |builder| builder,
        &[(&[Fails(0), Succeeds(0)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 success, 5070 run")],
    );
}

#[test]
fn acknowledged_pushes_are_answered_in_time_and_the_reply_comes_late() {
    quiet_panics();
    check(
        "text",
        |builder| builder.policy(Policy::Acknowledge),
        &[
            (&[Answers(0)], USUAL, "0 #1 reply, 0 run"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(4_600)], USUAL, "0 run, 4500 #1 success, 4600 late"),
            (&[Answers(6_000)], USUAL, "0 run, 4500 #1 success, 6000 late"),
            (&[Answers(9_000)], USUAL, "0 run, 4500 #1 success, 9000 late"),
            (&[Answers(12_000)], USUAL, "0 run, 4500 #1 success, 12000 late"),
            (&[Answers(14_000)], USUAL, "0 run, 4500 #1 success, 14000 late"),
            (&[Answers(20_000)], USUAL, "0 run, 4500 #1 success, 20000 late"),
            (&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success"),
            (&[Fails(6_000)], USUAL, "0 run, 4500 #1 success, 6000 failed"),
            (&[Panics(6_000)], USUAL, "0 run, 4500 #1 success, 6000 failed"),
            // A failed push is retried all the same; by then 4.5 s have passed since the first delivery.
            (&[Fails(0), Answers(1_000)], USUAL, "0 failed, 0 run, 5000 #1 gone, 5070 #2 success, 5070 run, 6070 late"),
            (&[Answers(6_000)], &[(3_000, 8_000)], "3000 run, 7500 #1 success, 9000 late"),
        ],
    );
}

#[test]
fn acknowledged_deliveries_may_be_lost_repeated_early_and_missing_too() {
    const FIRST_LOST: Schedule = &[(5_070, 10_070), (10_080, 15_080)];
    const ONLY_THE_LAST: Schedule = &[(10_080, 15_080)];
    const GONE_AT_ONCE: Schedule = &[(0, 100)];
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000)];
    const EARLY: Schedule = &[(0, 4_400), (4_470, 8_870), (8_940, 13_340)];
    check(
        "text",
        |builder| builder.policy(Policy::Acknowledge),
        &[
            (&[Answers(3_000)], FIRST_LOST, "5070 run, 8070 #1 reply"),
            (&[Answers(6_000)], FIRST_LOST, "5070 run, 9570 #1 success, 11070 late"),
            (&[Answers(6_000)], ONLY_THE_LAST, "10080 run, 14580 #1 success, 16080 late"),
            (&[Answers(1_000)], GONE_AT_ONCE, "0 run, 100 #1 gone, 15600 late"),
            (&[Answers(20_000)], GONE_AT_ONCE, "0 run, 100 #1 gone, 20000 late"),
            (&[Answers(1_000)], REPEATED, "0 run, 1000 #1 reply, 1000 #2 reply"),
            (&[Answers(6_000)], REPEATED, "0 run, 4500 #1 success, 4500 #2 success, 6000 late"),
            // The second comes 0.03 s before the first would have been acknowledged.
            (&[Answers(4_499)], EARLY, "0 run, 4400 #1 gone, 4499 #2 reply"),
            (&[Answers(6_000)], EARLY, "0 run, 4400 #1 gone, 4500 #2 success, 6000 late"),
        ],
    );
}

#[test]
fn a_handler_that_keeps_its_thread_until_wechat_has_hung_up_has_answered_nobody() {
    const ONE: Schedule = &[(0, 60_000)];
    check(
        "text",
        |builder| builder,
        &[
            // Replies are dated when the push came, if the handler never waits.
            (&[Blocks(999)], ONE, "0 run, 999 #1 reply"),
            (&[Blocks(5_000)], ONE, "0 run, 5000 #1 503, 15600 late"),
            (&[Blocks(15_500)], ONE, "0 run, 15500 #1 503, 15600 late"),
        ],
    );
}

#[test]
fn what_is_seen_for_7_5_s_or_made_9_s_ago_is_not_held() {
    const PROXY: u64 = 60_000;
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(60_000)], &[(0, 5_000), (7_499, PROXY)], "0 run, 5000 #1 gone, 13499 #2 503, 60000 late"),
            (&[Answers(60_000)], &[(0, 5_000), (7_500, PROXY)], "0 run, 5000 #1 gone, 12000 #2 success, 60000 late"),
            // CreateTime is of the moment 0.
            (&[Answers(30_000)], &[(8_999, PROXY)], "8999 run, 14999 #1 503, 38999 late"),
            (&[Answers(30_000)], &[(9_000, PROXY)], "9000 run, 13500 #1 success, 39000 late"),
        ],
    );
}

#[test]
fn pushes_that_take_no_reply_are_never_held() {
    for settings in [(|builder| builder) as Settings, |builder| builder.policy(Policy::Acknowledge)] {
        check(
            "VIEW",
            settings,
            &[
                (&[Succeeds(0)], USUAL, "0 #1 success, 0 run"),
                (&[Succeeds(4_400)], USUAL, "0 run, 4400 #1 success"),
                (&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success"),
                (
                    &[Answers(6_000)],
                    USUAL,
                    "0 run, 4500 #1 success, 6000 report: reply to `VIEW` not written as asked: WeChat takes no reply to `VIEW`",
                ),
            ],
        );
    }
}

#[test]
fn deliveries_may_be_lost_repeated_early_and_missing() {
    const FIRST_LOST: Schedule = &[(5_070, 10_070), (10_080, 15_080)];
    const ONLY_THE_LAST: Schedule = &[(10_080, 15_080)];
    const ONLY_THE_FIRST: Schedule = &[(0, 5_000)];
    const SECOND_LOST: Schedule = &[(0, 5_000), (10_080, 15_080)];
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000), (5_070, 10_070), (5_090, 10_070)];
    const EARLY: Schedule = &[(0, 4_400), (4_470, 8_870), (8_940, 13_340)];
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(3_000)], FIRST_LOST, "5070 run, 8070 #1 reply"),
            // Seen first here, and the last by its CreateTime: not held.
            (&[Answers(3_000)], ONLY_THE_LAST, "10080 run, 13080 #1 reply"),
            (&[Answers(6_000)], ONLY_THE_LAST, "10080 run, 14580 #1 success, 16080 late"),
            (&[Answers(6_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 15600 late"),
            (&[Answers(20_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 20000 late"),
            (&[Fails(6_000)], ONLY_THE_FIRST, "0 run, 5000 #1 gone, 6000 failed"),
            (&[Answers(6_000)], SECOND_LOST, "0 run, 5000 #1 gone, 10080 #2 reply"),
            (&[Answers(12_000)], SECOND_LOST, "0 run, 5000 #1 gone, 12000 #2 reply"),
            (&[Answers(1_000)], REPEATED, "0 run, 1000 #1 reply, 1000 #2 reply"),
            (&[Answers(6_000)], REPEATED, "0 run, 5000 #1 gone, 5000 #2 gone, 6000 #3 reply, 6000 #4 reply"),
            // A waiting repetition sees the failure and runs the push again.
            (&[Fails(10), Answers(10)], REPEATED, "0 run, 10 failed, 20 run, 30 #2 reply of run 2, 5000 #1 gone"),
            (&[Fails(50), Answers(10)], REPEATED, "0 run, 50 failed, 50 run, 60 #2 reply of run 2, 5000 #1 gone"),
            (&[Answers(4_399)], EARLY, "0 run, 4399 #1 reply"),
            (&[Answers(4_450)], EARLY, "0 run, 4400 #1 gone, 4470 #2 reply"),
            (&[Answers(6_000)], EARLY, "0 run, 4400 #1 gone, 6000 #2 reply"),
            (&[Answers(12_000)], EARLY, "0 run, 4400 #1 gone, 8870 #2 gone, 12000 #3 reply"),
            (&[Answers(14_000)], EARLY, "0 run, 4400 #1 gone, 8870 #2 gone, 13340 #3 gone, 15600 late"),
        ],
    );
}

#[test]
fn a_connection_that_outlives_wechat_gets_503_and_takes_no_reply_along() {
    const HELD_BY_A_PROXY: Schedule = &[(0, 60_000), (5_070, 60_000), (10_080, 60_000)];
    check(
        "text",
        |builder| builder,
        &[
            (&[Answers(5_030)], HELD_BY_A_PROXY, "0 run, 5030 #1 503, 5070 #2 reply"),
            (&[Answers(9_000)], HELD_BY_A_PROXY, "0 run, 6000 #1 503, 9000 #2 reply"),
            (&[Answers(20_000)], HELD_BY_A_PROXY, "0 run, 6000 #1 503, 11070 #2 503, 14580 #3 success, 20000 late"),
            (
                &[Fails(0)],
                HELD_BY_A_PROXY,
                "0 failed, 0 run, 5070 failed, 5070 run, 6000 #1 503, 10080 #3 success, 10080 failed, 10080 run, 11070 #2 503",
            ),
            (&[Answers(5_500)], &[(0, 60_000)], "0 run, 5500 #1 503, 15600 late"),
        ],
    );
}

#[test]
fn an_interim_reply_stands_for_success_where_a_reply_is_taken() {
    let settings: Settings = |builder| builder.interim(Reply::text("one moment"));
    check(
        "text",
        settings,
        &[
            (&[Answers(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 interim, 20000 late"),
            (&[Answers(1_000)], USUAL, "0 run, 1000 #1 reply"),
            (
                &[Fails(11_000)],
                USUAL,
                "0 run, 5000 #1 gone, 10070 #2 gone, 11000 failed, 11000 run, 14580 #3 interim, 22000 failed",
            ),
        ],
    );
    check("VIEW", settings, &[(&[Succeeds(6_000)], USUAL, "0 run, 4500 #1 success")]);
    check(
        "text",
        |builder| builder.interim(Reply::text("one moment")).policy(Policy::Acknowledge),
        &[(&[Answers(6_000)], USUAL, "0 run, 4500 #1 interim, 6000 late")],
    );
}

#[test]
fn beyond_the_bound_of_held_deliveries_pushes_are_acknowledged() {
    check(
        "text",
        |builder| builder.max_held(0),
        &[
            (&[Answers(4_400)], USUAL, "0 run, 4400 #1 reply"),
            (&[Answers(6_000)], USUAL, "0 run, 4500 #1 success, 6000 late"),
            (&[Fails(1_000)], USUAL, "0 run, 1000 #1 success, 1000 failed"),
        ],
    );
    const REPEATED: Schedule = &[(0, 5_000), (20, 5_000)];
    check(
        "text",
        |builder| builder.max_held(1),
        &[
            (&[Answers(4_800)], REPEATED, "0 run, 4520 #2 success, 4800 #1 reply"),
            // The place is free again when the second one's 4.5 s are over.
            (
                &[Fails(1_000), Answers(4_000)],
                &[(0, 1_500), (20, 5_000)],
                "0 run, 1000 failed, 1000 run, 1500 #1 gone, 5000 #2 gone, 15600 late",
            ),
        ],
    );
}

#[test]
fn what_stands_in_for_a_reply_and_when_are_the_services_choice() {
    check(
        "text",
        |builder| {
            let builder = builder.policy(Policy::Acknowledge).acknowledge_after(Duration::from_secs(2));
            builder.interim_with(|event| (event.name() == "text").then(|| Reply::text("one moment")))
        },
        &[
            (&[Answers(1_900)], USUAL, "0 run, 1900 #1 reply"),
            (&[Answers(6_000)], USUAL, "0 run, 2000 #1 interim, 6000 late"),
        ],
    );
    check(
        "text",
        |builder| builder.interim_with(|_| None).acknowledge_after(Duration::from_secs(60)),
        &[(&[Answers(20_000)], USUAL, "0 run, 5000 #1 gone, 10070 #2 gone, 14580 #3 success, 20000 late")],
    );
}
