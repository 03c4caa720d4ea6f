//! Rust's names for AWS's.

/// `MD5OfMessageBody` becomes `md5_of_message_body`, `AWSAccountIds` `aws_account_ids`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &this) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        // A plural of an acronym is one word: IDs.
        let plural = after == Some(&'s') && chars.get(at + 2).is_none_or(|c| c.is_uppercase());
        let starts = this.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || before.is_uppercase() && after.is_some_and(|c| c.is_lowercase()) && !plural
            });
        if starts && !out.ends_with('_') {
            out.push('_');
        }
        match this {
            'A'..='Z' | 'a'..='z' | '0'..='9' => out.push(this.to_ascii_lowercase()),
            _ if !out.is_empty() && !out.ends_with('_') => out.push('_'),
            _ => {}
        }
    }
    match out.as_str() {
        "self" | "super" | "crate" => out + "_",
        "type" | "match" | "ref" | "in" | "static" | "enum" | "loop" | "where" | "use" | "move"
        | "abstract" | "override" | "final" | "default" | "virtual" | "async" | "yield"
        | "true" | "false" | "for" | "as" | "if" | "else" | "mod" | "fn" | "let" | "box" | "do"
        | "macro" | "try" | "gen" => "r#".to_owned() + &out,
        _ => out,
    }
}

/// `QueueDoesNotExist` becomes `QUEUE_DOES_NOT_EXIST`.
pub(crate) fn constant(name: &str) -> String {
    snake(name).trim_start_matches("r#").to_ascii_uppercase()
}

/// `arnType` becomes `ArnType`, `us-east-1` becomes `UsEast1`.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = true;
    for this in name.chars() {
        if this.is_ascii_alphanumeric() {
            if out.is_empty() && this.is_ascii_digit() {
                out.push('N');
            }
            out.push(if upper { this.to_ascii_uppercase() } else { this });
            upper = false;
        } else {
            upper = true;
        }
    }
    if out == "Self" { out + "_" } else { out }
}

/// The type of a shape: its name in Rust, save those that the generated code itself says.
pub(crate) fn type_name(shape: &str) -> String {
    let taken = [
        "String",
        "Option",
        "Vec",
        "Box",
        "Result",
        "Some",
        "None",
        "Ok",
        "Err",
        "Default",
        "From",
        "Request",
        "Response",
        "Debug",
        "Clone",
        "PartialEq",
        "Eq",
        "Hash",
        "Ord",
        "PartialOrd",
    ];
    let name = camel(shape);
    if taken.contains(&name.as_str()) { name + "_" } else { name }
}

/// The variants of an enumeration of `values`: different where the values are, and none of them
/// `Unknown`, which is the one for what is not among them.
pub(crate) fn variants(values: &[String]) -> Vec<String> {
    let mut variants: Vec<String> = Vec::new();
    for value in values {
        let shouted = value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let mut variant = match value.as_str() {
            "" => "Empty".to_owned(),
            value if shouted => camel(&value.to_ascii_lowercase()),
            value => camel(value),
        };
        while variant == "Unknown" || variants.contains(&variant) {
            variant.push('_');
        }
        variants.push(variant);
    }
    variants
}
