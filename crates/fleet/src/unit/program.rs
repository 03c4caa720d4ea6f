//! User data taken apart: which units an instance runs.

use super::file::UnitFile;
use super::keys;
use super::mime;
use super::service::Service;
use super::specifier::Host;
use super::timer::Timer;

/// What an instance runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// In the order that they stand in.
    pub units: Vec<Unit>,
    /// What is worth a line in the instance's log.
    pub notes: Vec<String>,
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A script, run once each time the instance starts.
    Script(Script),
    /// A service, by its name.
    Service(String, Box<Service>),
    /// A timer, by its name.
    Timer(String, Timer),
}

/// A script: it begins with `#!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its file's name.
    pub name: String,
    /// What is in it.
    pub text: Vec<u8>,
}

/// User data that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadProgram(String);

impl Program {
    /// Takes user data apart. What no machine could run, as text that is neither a script nor a
    /// unit, runs nothing, and is noted.
    ///
    /// # Errors
    /// If a unit is wrong, or says what we would have to pass over in silence.
    pub fn read(user_data: &[u8], host: &Host) -> Result<Self, BadProgram> {
        let mut program = Self::default();
        if user_data.starts_with(&[0x1f, 0x8b]) {
            return Err(BadProgram("it is compressed: send it as it is".to_owned()));
        }
        match str::from_utf8(user_data) {
            Ok(text) if mime::is_one(text) => {
                let parts = mime::parts(text).map_err(BadProgram)?;
                for (part, number) in parts.into_iter().zip(1..) {
                    let name = part.name.unwrap_or_else(|| format!("part-{number:03}"));
                    program
                        .add(&name, Some(&part.kind), part.body, host)
                        .map_err(|why| BadProgram(format!("part {number} ({name}): {why}")))?;
                }
            }
            _ if user_data.iter().all(u8::is_ascii_whitespace) => {}
            _ => program.add("user-data", None, user_data.to_vec(), host).map_err(BadProgram)?,
        }
        program.checked()
    }

    fn add(
        &mut self,
        name: &str,
        kind: Option<&str>,
        body: Vec<u8>,
        host: &Host,
    ) -> Result<(), String> {
        // It becomes a file's name, and a word in each line of the log.
        let is_odd = |letter: char| letter == '/' || letter.is_whitespace() || letter.is_control();
        if name.is_empty() || name.starts_with('.') || name.len() > 200 || name.contains(is_odd) {
            return Err(format!("{name:?} is no name for a unit"));
        }
        if body.starts_with(b"#!") {
            self.units.push(Unit::Script(Script { name: name.to_owned(), text: body }));
            return Ok(());
        }
        let text = str::from_utf8(&body).map_err(|_| "it is not text".to_owned())?;
        let first = text.lines().next().unwrap_or_default();
        let cloud = ["#cloud-config", "#include", "#cloud-boothook", "#part-handler"];
        if cloud.iter().any(|word| first.starts_with(word))
            || kind.is_some_and(|kind| kind.starts_with("text/cloud-"))
        {
            return Err("only scripts and systemd units are run, nothing else of cloud-init's: \
                        begin with #!/bin/sh or with [Unit]"
                .to_owned());
        }
        if !UnitFile::is_one(text) {
            self.notes.push(format!("{name} is neither a script (#!) nor a unit: nothing is run"));
            return Ok(());
        }
        let file = UnitFile::parse(text).map_err(|wrong| wrong.to_string())?;
        self.add_unit(name, &file, host)
    }

    fn add_unit(&mut self, name: &str, file: &UnitFile, host: &Host) -> Result<(), String> {
        let named = |end: &str| {
            if name.ends_with(end) { name.to_owned() } else { format!("{name}{end}") }
        };
        let (unit, notes) = match (file.has("Service"), file.has("Timer")) {
            (true, false) => {
                let name = named(".service");
                let read = keys::service(file, &name, host).map_err(|wrong| wrong.to_string())?;
                (Unit::Service(name, Box::new(read.what)), read.notes)
            }
            (false, true) => {
                let name = named(".timer");
                let read = keys::timer(file, &name, host).map_err(|wrong| wrong.to_string())?;
                (Unit::Timer(name, read.what), read.notes)
            }
            (true, true) => {
                return Err("a unit is a service or a timer: send two parts, as MIME".to_owned());
            }
            (false, false) => return Err("it has neither [Service] nor [Timer]".to_owned()),
        };
        self.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", unit.name())));
        self.units.push(unit);
        Ok(())
    }

    /// Checks that units do not get in each other's way.
    fn checked(self) -> Result<Self, BadProgram> {
        for (index, unit) in self.units.iter().enumerate() {
            if self.units[..index].iter().any(|other| other.name() == unit.name()) {
                return Err(BadProgram(format!("there are two units called {}", unit.name())));
            }
            if let Unit::Timer(name, timer) = unit
                && !self
                    .units
                    .iter()
                    .any(|unit| matches!(unit, Unit::Service(name, _) if *name == timer.unit))
            {
                return Err(BadProgram(format!(
                    "{name} starts {}, which is not there: send it as another part",
                    timer.unit
                )));
            }
        }
        Ok(self)
    }
}

impl Unit {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Script(script) => &script.name,
            Self::Service(name, _) | Self::Timer(name, _) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Program, String> {
        Program::read(text.as_bytes(), &Host::default()).map_err(|bad| bad.to_string())
    }

    fn message(parts: &[(&str, &str)]) -> String {
        let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n".to_owned();
        let part = |(name, body): &(&str, &str)| {
            format!(
                "--B\nContent-Type: text/plain\nContent-Disposition: attachment; \
                 filename=\"{name}\"\n\n{body}\n"
            )
        };
        head + &parts.iter().map(part).collect::<Vec<_>>().concat() + "--B--\n"
    }

    #[test]
    fn a_script_is_told_by_its_first_two_letters() {
        let program = read("#!/bin/sh\nexit 3\n").unwrap();
        let script = Script { name: "user-data".into(), text: b"#!/bin/sh\nexit 3\n".to_vec() };
        assert_eq!(program.units, [Unit::Script(script)]);
    }

    #[test]
    fn a_unit_stands_for_itself() {
        let program = read("# mine\n[Service]\nExecStart=/bin/true\n").unwrap();
        assert_eq!(program.units[0].name(), "user-data.service");
    }

    #[test]
    fn a_timer_and_its_service_come_in_one_message() {
        let service = ("publish.service", "[Service]\nType=oneshot\nExecStart=/bin/true");
        let timer = ("publish.timer", "[Timer]\nOnCalendar=minutely");
        let program = read(&message(&[service, timer])).unwrap();
        let names: Vec<_> = program.units.iter().map(Unit::name).collect();
        assert_eq!(names, ["publish.service", "publish.timer"]);
        assert!(read(&message(&[timer])).unwrap_err().contains("publish.service"));
        assert!(read(&message(&[service, service])).unwrap_err().contains("two units"));
    }

    #[test]
    fn what_nobody_runs_is_noted_or_refused() {
        assert_eq!(read("").unwrap(), Program::default());
        let program = read("key=value\n").unwrap();
        assert_eq!((program.units.len(), program.notes.len()), (0, 1));
        assert!(read("#cloud-config\npackages: [a]\n").unwrap_err().contains("cloud-init"));
        let packed = Program::read(&[0x1f, 0x8b, 8], &Host::default());
        assert!(packed.unwrap_err().to_string().contains("compressed"));
    }

    #[test]
    fn a_part_whose_name_would_break_the_log_or_is_none_is_refused() {
        for name in ["my job.sh", "", ".begun", "a/b", "a\u{85}b", "a\u{7f}"] {
            let why = read(&message(&[(name, "#!/bin/sh")])).unwrap_err();
            assert!(why.contains("is no name for a unit"), "{name:?}: {why}");
        }
        assert_eq!(read(&message(&[("job-1.sh", "#!/bin/sh")])).unwrap().units.len(), 1);
    }

    #[test]
    fn a_mistake_is_told_with_its_part_and_its_line() {
        let told = read(&message(&[("a.service", "[Service]\nExecStart=/bin/a\nRestart=x")]));
        assert_eq!(
            told.unwrap_err(),
            "part 1 (a.service): line 3: Restart: \"x\" is not known here"
        );
    }
}
