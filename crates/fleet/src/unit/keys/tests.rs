//! Units as people write them, and what becomes of each key.

use super::*;
use crate::unit::signal::Signal;
use crate::unit::status::Ended;

fn read(text: &str) -> Result<Read<Service>, Wrong> {
    service(&UnitFile::parse(text).unwrap(), "worker.service", &Host::default())
}

fn refusal(text: &str) -> String {
    match read(text) {
        Ok(_) => panic!("it is taken: {text}"),
        Err(wrong) => wrong.to_string(),
    }
}

const TUTORIAL: &str = "\
[Unit]
Description=Simple SQS worker
After=network.target

[Service]
Type=simple
User=ec2-user
WorkingDirectory=/home/ec2-user/worker
Environment=\"QUEUE_URL=http://q/1 2\" LEVEL=info
ExecStart=/usr/bin/python3 worker.py
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
";

#[test]
fn the_unit_of_a_tutorial_is_read_as_it_stands() {
    let Read { what: service, notes } = read(TUTORIAL).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(service.kind, ServiceKind::Simple);
    assert_eq!(service.user.as_deref(), Some("ec2-user"));
    let folder = service.folder.as_ref().unwrap().path.clone();
    assert_eq!(folder, Some("/home/ec2-user/worker".into()));
    assert_eq!(service.environment["QUEUE_URL"], "http://q/1 2");
    assert_eq!(service.environment["LEVEL"], "info");
    let argv = service.run[0].argv(&service.environment);
    assert_eq!(argv, ["/usr/bin/python3", "worker.py"]);
    assert_eq!((service.restart, service.rest), (Restart::OnFailure, Duration::from_secs(5)));
}

#[test]
fn a_unit_sets_how_it_is_stopped_and_started_again() {
    let text = "[Unit]\nStartLimitIntervalSec=1min\nStartLimitBurst=3\n[Service]\n\
        ExecStart=/bin/a\nKillMode=mixed\nKillSignal=SIGINT\nTimeoutStopSec=7\nTimeoutStartSec=0\n\
        SuccessExitStatus=75\nRestartPreventExitStatus=SIGABRT\nSendSIGKILL=no\nUMask=0077\n\
        LimitNOFILE=10:20\nMemoryMax=64M\nStandardOutput=null\nStandardError=inherit\nNice=5\n";
    let service = read(text).unwrap().what;
    assert_eq!(service.start_limit, (3, Duration::from_mins(1)));
    assert_eq!((service.kill, service.kill_signal), (KillMode::Mixed, Signal::INT));
    assert_eq!(service.stop_timeout, Duration::from_secs(7));
    assert_eq!(service.start_timeout, span::FOREVER);
    assert!(service.is_good(Ended::Code(75)) && service.final_ends.has(Ended::Signal(6)));
    assert!(!service.kill_at_last);
    assert_eq!((service.umask, service.nice), (0o077, Some(5)));
    assert_eq!(service.limits, [(Limit::Files, Some(10), Some(20))]);
    assert_eq!(service.memory_max, Some(64 << 20));
    assert_eq!((service.output, service.error), (Output::Null, Output::Null));
}

#[test]
fn an_empty_assignment_forgets_those_before() {
    let service = read(
        "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\nExecStart=/bin/c",
    );
    let run = service.unwrap().what.run;
    assert_eq!(run.iter().map(|one| &*one.program).collect::<Vec<_>>(), ["/bin/b", "/bin/c"]);
}

#[test]
fn what_would_mislead_is_refused_with_its_line() {
    let cases = [
        ("[Service]\nExecStart=/bin/a\nType=notify", "line 3: Type=notify"),
        ("[Service]\nType=forking\nExecStart=/bin/a", "foreground"),
        ("[Service]\nExecStart=/bin/a\nExecStop=/bin/b", "line 3: ExecStop"),
        ("[Unit]\nConditionPathExists=/x\n[Service]\nExecStart=/bin/a", "ConditionPathExists"),
        ("[Unit]\nRequires=postgresql.service\n[Service]\nExecStart=/bin/a", "postgresql"),
        ("[Service]\nExecStart=/bin/a\nExecStart=/bin/b", "only a oneshot"),
        ("[Service]\nRestart=no", "needs ExecStart"),
        ("[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a", "oneshot"),
        ("[Service]\nExecStart=/bin/a\nRestart=sometimes", "line 3: Restart: \"sometimes\""),
        ("[Service]\nExecStart=/bin/a\nRestartSec=soon", "line 3: RestartSec"),
        ("[Service]\nExecStart=/bin/a %Q", "%Q"),
        ("[Service]\nExecStart=/bin/a\nWorkingDirectory=here", "absolute"),
        ("[Service]\nExecStart=/bin/a\nStandardOutput=file:/x", "StandardOutput"),
    ];
    for (text, expected) in cases {
        let told = refusal(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn what_does_no_harm_is_noted() {
    let text = "[Unit]\nAfter=docker.service\n[Service]\nExecStart=/bin/a\nProtectSystem=full\n\
        PrivateTmp=yes\n[Install]\nWantedBy=multi-user.target\n[X-Ours]\nA=1\n";
    let notes = read(text).unwrap().notes;
    let expected = [
        "line 2: After=docker.service has no effect",
        "line 5: ProtectSystem has no effect",
        "line 6: PrivateTmp has no effect",
    ];
    assert_eq!(notes, expected);
}

#[test]
fn a_timer_starts_the_service_of_its_name_or_another() {
    let timer =
        |text: &str| timer(&UnitFile::parse(text).unwrap(), "publish.timer", &Host::default());
    let read = timer("[Timer]\nOnBootSec=10\nOnUnitActiveSec=1min\nOnCalendar=*:0/5\n").unwrap();
    assert_eq!(read.what.unit, "publish.service");
    let expected =
        [(Since::Boot, Duration::from_secs(10)), (Since::UnitActive, Duration::from_mins(1))];
    assert_eq!(read.what.spans, expected);
    assert_eq!(read.what.calendars.len(), 1);
    assert_eq!(timer("[Timer]\nOnBootSec=1\nUnit=b.service").unwrap().what.unit, "b.service");
    assert!(timer("[Timer]\nUnit=b.service").is_err());
    for key in ["OnUnitActiveSec", "OnUnitInactiveSec"] {
        let why = timer(&format!("[Timer]\nOnBootSec=0\n{key}=0")).map(drop).unwrap_err();
        assert_eq!(why.to_string(), format!("line 3: {key}: it would never rest"));
    }
    assert!(timer("[Timer]\nOnBootSec=0").is_ok());
    let notes = timer("[Timer]\nOnBootSec=1\nPersistent=true").unwrap().notes;
    assert_eq!(notes, ["line 3: Persistent has no effect"]);
}
