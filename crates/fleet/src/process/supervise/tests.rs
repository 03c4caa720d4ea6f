//! A service's life, with a clock that the test moves.

use super::*;
use crate::unit::Restart;

fn command(program: &str) -> Command {
    Command::plain(program, Vec::new())
}

fn supervisor(change: impl FnOnce(&mut Service)) -> Supervisor {
    let mut service = Service::new(ServiceKind::Simple, vec![command("/bin/run")]);
    service.restart = Restart::OnFailure;
    change(&mut service);
    Supervisor::new(service)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is done, but for what is said.
fn quiet(done: Vec<Do>) -> Vec<Do> {
    done.into_iter().filter(|one| !matches!(one, Do::Say(_))).collect()
}

fn run(program: &str) -> Vec<Do> {
    vec![Do::Run(command(program))]
}

fn ask(signal: Signal, whom: Whom) -> Vec<Do> {
    vec![Do::Signal(signal, whom), Do::Signal(Signal::CONT, whom)]
}

#[test]
fn a_service_that_is_killed_rests_and_is_started_again() {
    let mut it = supervisor(|_| {});
    assert_eq!(it.start(ms(0)), run("/bin/run"));
    assert_eq!(it.view(), View::Active);
    assert_eq!(quiet(it.ended(ms(50), Ended::Signal(9))), ask(Signal::TERM, Whom::All));
    assert!(it.is_clearing());
    assert_eq!(it.swept(ms(50)), [Do::Ended]);
    assert_eq!((it.view(), it.deadline()), (View::Activating, Some(ms(150))));
    assert_eq!(it.tick(ms(149)), []);
    assert_eq!(quiet(it.tick(ms(150))), run("/bin/run"));
    assert_eq!(it.restarts(), 1);
}

#[test]
fn a_service_that_ends_well_is_not_started_again() {
    let mut it = supervisor(|_| {});
    it.start(ms(0));
    it.ended(ms(5), Ended::Code(0));
    assert_eq!(it.swept(ms(5)), [Do::Ended]);
    assert_eq!((it.view(), it.deadline()), (View::Inactive, None));
    assert!(it.is_down());
}

#[test]
fn what_fails_at_once_is_left_alone_after_five_starts() {
    let mut it = supervisor(|_| {});
    let mut starts = 0;
    let mut now = ms(0);
    let mut done = it.start(now);
    while quiet(done.clone()) == run("/bin/run") {
        starts += 1;
        it.ended(now, Ended::Code(1));
        it.swept(now);
        now = it.deadline().unwrap();
        done = it.tick(now);
    }
    assert_eq!((starts, it.view()), (5, View::Failed));
    assert_eq!(it.outcome().why, Why::TooOften);
}

#[test]
fn starts_that_lie_far_apart_are_not_too_many() {
    let mut it = supervisor(|service| service.rest = Duration::from_secs(3));
    let mut now = ms(0);
    let mut done = it.start(now);
    for _ in 0..50 {
        assert_eq!(quiet(done), run("/bin/run"));
        it.ended(now, Ended::Code(1));
        it.swept(now);
        now = it.deadline().unwrap();
        done = it.tick(now);
    }
}

#[test]
fn a_stop_asks_all_and_kills_after_its_time() {
    let mut it = supervisor(|service| service.stop_timeout = ms(1000));
    it.start(ms(0));
    assert_eq!(it.stop(ms(10)), ask(Signal::TERM, Whom::All));
    assert_eq!((it.view(), it.deadline()), (View::Deactivating, Some(ms(1010))));
    assert_eq!(quiet(it.tick(ms(1010))), [Do::Signal(Signal::KILL, Whom::All)]);
    it.ended(ms(1011), Ended::Signal(9));
    it.swept(ms(1011));
    assert!(it.is_down());
    assert_eq!(it.view(), View::Inactive);
    assert_eq!(it.start(ms(2000)), []);
}

#[test]
fn a_mixed_stop_asks_the_first_and_kills_the_others() {
    let mut it = supervisor(|service| service.kill = KillMode::Mixed);
    it.start(ms(0));
    assert_eq!(it.stop(ms(1)), ask(Signal::TERM, Whom::First));
    assert_eq!(it.ended(ms(2), Ended::Code(0)), [Do::Signal(Signal::KILL, Whom::All)]);
    assert!(it.is_clearing());
}

#[test]
fn where_a_stop_is_for_the_process_alone_the_others_are_left() {
    let mut it = supervisor(|service| service.kill = KillMode::Process);
    it.start(ms(0));
    assert_eq!(quiet(it.ended(ms(2), Ended::Code(0))), [Do::Ended]);
    assert!(it.is_down());
}

#[test]
fn a_stop_while_it_rests_leaves_it_down() {
    let mut it = supervisor(|_| {});
    it.start(ms(0));
    it.ended(ms(1), Ended::Code(1));
    it.swept(ms(1));
    assert_eq!(it.stop(ms(2)), []);
    assert!(it.is_down() && it.deadline().is_none());
}

#[test]
fn what_comes_before_must_do_well_unless_it_may_fail() {
    let before = |mark: &str| {
        let mut it = supervisor(|service| {
            service.restart = Restart::No;
            let mut before = command("/bin/before");
            before.may_fail = mark == "-";
            service.before = vec![before];
        });
        assert_eq!(quiet(it.start(ms(0))).len(), 1);
        it
    };
    let mut strict = before("");
    strict.ended(ms(1), Ended::Code(1));
    strict.swept(ms(1));
    assert_eq!(strict.view(), View::Failed);
    assert_eq!(before("-").ended(ms(1), Ended::Code(1)), run("/bin/run"));
    assert_eq!(before("").ended(ms(1), Ended::Code(0)), run("/bin/run"));
}

#[test]
fn a_oneshot_runs_its_commands_in_turn_and_may_remain() {
    let mut it = supervisor(|service| {
        *service = Service::new(ServiceKind::Oneshot, vec![command("/bin/a"), command("/bin/b")]);
        service.remains = true;
    });
    assert_eq!(it.start(ms(0)), run("/bin/a"));
    assert_eq!(it.view(), View::Activating);
    assert_eq!(it.ended(ms(1), Ended::Code(0)), run("/bin/b"));
    assert_eq!(it.ended(ms(2), Ended::Code(0)), []);
    assert_eq!(it.view(), View::Active);
    assert_eq!(it.stop(ms(3)), ask(Signal::TERM, Whom::All));
}

#[test]
fn a_service_that_runs_too_long_has_failed() {
    let mut it = supervisor(|service| service.run_limit = ms(100));
    it.start(ms(0));
    assert_eq!(it.deadline(), Some(ms(100)));
    assert_eq!(quiet(it.tick(ms(100))), ask(Signal::TERM, Whom::All));
    it.ended(ms(101), Ended::Signal(15));
    it.swept(ms(101));
    assert_eq!(it.outcome().why, Why::Late);
    assert_eq!(it.view(), View::Activating, "on-failure starts it again");
}

#[test]
fn leftovers_are_killed_when_they_do_not_end() {
    let mut it = supervisor(|service| service.stop_timeout = ms(500));
    it.start(ms(0));
    it.ended(ms(1), Ended::Code(0));
    assert_eq!(it.deadline(), Some(ms(501)));
    assert_eq!(it.tick(ms(501)), [Do::Signal(Signal::KILL, Whom::All)]);
    assert_eq!(it.swept(ms(502)), [Do::Ended]);
}
