//! Users and groups, as the machine's own files list them.

use std::fs;

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// Finds a user by name or number.
pub(super) fn find(wanted: &str) -> Option<User> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users
        .lines()
        .filter_map(parse)
        .find(|user| user.name == wanted || wanted.parse() == Ok(user.uid))
}

/// The user of this number, or one without a name.
pub(super) fn of_number(uid: u32, gid: u32) -> User {
    let named = find(&uid.to_string()).filter(|user| user.uid == uid);
    named.unwrap_or_else(|| User {
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
pub(super) fn group(wanted: &str) -> Option<u32> {
    if let Ok(number) = wanted.parse() {
        return Some(number);
    }
    groups().into_iter().find(|(name, ..)| name == wanted).map(|(_, gid, _)| gid)
}

/// The groups that a user belongs to besides its own.
pub(super) fn groups_of(user: &str) -> Vec<u32> {
    let of = |members: &Vec<String>| members.iter().any(|member| member == user);
    groups().into_iter().filter(|(.., members)| of(members)).map(|(_, gid, _)| gid).collect()
}

fn groups() -> Vec<(String, u32, Vec<String>)> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        let members = members.split(',').map(str::to_owned).collect();
        Some((name.to_owned(), gid.parse().ok()?, members))
    };
    text.lines().filter_map(parse).collect()
}
