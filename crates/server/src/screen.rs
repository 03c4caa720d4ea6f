//! Rows of tables as `tidemill ps` and `tidemill top` show them. What stands in them comes from
//! outside, as names and what programs print, and must not drive the terminal.

/// A finished row, in one line.
pub(crate) fn row(text: &str) -> String {
    text.trim_end().replace(char::is_control, " ")
}

/// As much of a row as so many columns show: some characters take two.
pub(crate) fn cut(row: &str, columns: usize) -> String {
    console::truncate_str(row, columns, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_and_drives_no_terminal() {
        assert_eq!(row("a\u{1b}[2Jb\r\nc\u{7}\u{9b}31m d  "), "a [2Jb  c  31m d");
    }

    #[test]
    fn a_row_is_cut_by_the_columns_that_it_takes() {
        assert_eq!(cut("plain", 4), "plai");
        assert_eq!(cut("plain", 5), "plain");
        assert_eq!(cut("日本語", 5), "日本");
        assert_eq!(cut("日本語", 6), "日本語");
    }
}
