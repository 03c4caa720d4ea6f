//! Specifiers: what `%n` and its like stand for in a unit.

/// What a unit may know of where it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// `%u`: whom instances run as, where a unit names nobody.
    pub user: String,
    /// `%U`: that user's number.
    pub uid: u32,
    /// `%G`: the number of that user's group.
    pub gid: u32,
    /// `%h`: the instance's own folder.
    pub home: String,
    /// `%H`: the instance's name, its id.
    pub name: String,
}

/// Replaces the specifiers in a value of the unit called `unit`.
pub(super) fn expand(value: &str, unit: &str, host: &Host) -> Result<String, String> {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    let (stem, _) = unit.rsplit_once('.').unwrap_or((unit, ""));
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => out.push('%'),
            Some('n') => out.push_str(unit),
            Some('N') => out.push_str(stem),
            Some('p' | 'P') => out.push_str(prefix),
            Some('i' | 'I') => out.push_str(instance),
            Some('u') => out.push_str(&host.user),
            Some('U') => out.push_str(&host.uid.to_string()),
            Some('G') => out.push_str(&host.gid.to_string()),
            Some('h') => out.push_str(&host.home),
            Some('H' | 'l') => out.push_str(&host.name),
            Some('T') => out.push_str("/tmp"),
            Some('V') => out.push_str("/var/tmp"),
            Some(other) => return Err(format!("the specifier %{other} is not known here")),
            None => return Err("it ends in a percent sign: write %%".to_owned()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_stand_for_what_is_known_of_the_unit_and_its_host() {
        let host =
            Host { user: "ada".into(), uid: 7, gid: 8, home: "/h".into(), name: "i-1".into() };
        let told = expand("%n %N %p %i %u %U:%G %h %H 100%%", "work@3.service", &host);
        assert_eq!(told.unwrap(), "work@3.service work@3 work 3 ada 7:8 /h i-1 100%");
        assert!(expand("%Q", "a.service", &host).unwrap_err().contains("%Q"));
        assert!(expand("50%", "a.service", &host).is_err());
    }
}
