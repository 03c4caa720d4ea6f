//! Users and groups, as the machine's own files list them.

use std::fs;
use std::io;

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// A group of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

impl Group {
    /// Whether a user belongs to it besides its own.
    pub(super) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|member| member == user)
    }
}

/// Finds a user by name or number.
pub(super) fn find(wanted: &str) -> io::Result<Option<User>> {
    let users = read("/etc/passwd")?;
    let mut users = users.lines().filter_map(parse);
    Ok(users.find(|user| user.name == wanted || wanted.parse() == Ok(user.uid)))
}

/// The user of this number, or one without a name.
pub(super) fn of_number(uid: u32, gid: u32) -> User {
    let named = find(&uid.to_string()).ok().flatten();
    named.filter(|user| user.uid == uid).unwrap_or_else(|| User {
        name: uid.to_string(),
        uid,
        gid,
        home: "/".to_owned(),
        shell: "/bin/sh".to_owned(),
    })
}

fn parse(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    Some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// Finds a group's number by its name or number.
pub(super) fn group(all: &[Group], wanted: &str) -> Option<u32> {
    let by_name = || all.iter().find(|group| group.name == wanted).map(|group| group.gid);
    wanted.parse().ok().or_else(by_name)
}

/// The groups that there are.
pub(super) fn groups() -> io::Result<Vec<Group>> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        let members = members.split(',').map(str::to_owned).collect();
        Some(Group { name: name.to_owned(), gid: gid.parse().ok()?, members })
    };
    Ok(read("/etc/group")?.lines().filter_map(parse).collect())
}

/// A machine may have no such file, as a container that holds nothing but a program.
fn read(path: &str) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}
